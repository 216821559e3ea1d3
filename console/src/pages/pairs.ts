// Labels and taints as people write them, one for each line, and as the patches that bring them about.

import { BadLine, linesOf } from '../api/written';

export interface Taint {
  key: string;
  value?: string;
  effect: string;
}

export function labelLines(labels: Record<string, string> = {}): string {
  return Object.entries(labels)
    .map(([key, value]) => (value ? `${key}=${value}` : key))
    .sort()
    .join('\n');
}

/** Labels from lines such as "zone=a"; throws BadLine. */
export function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    linesOf(text).map((line) => {
      const [key = '', value = '', ...rest] = line.split('=').map((part) => part.trim());
      if (!key || rest.length > 0) throw new BadLine(line);
      return [key, value];
    }),
  );
}

/** What makes the labels of an object those that are wanted: what is no more wanted is null. */
export function labelPatch(
  before: Record<string, string>,
  after: Record<string, string>,
): Record<string, string | null> {
  const gone = Object.keys(before).filter((key) => !(key in after));
  return { ...after, ...Object.fromEntries(gone.map((key) => [key, null])) };
}

export function taintLines(taints: Taint[] = []): string {
  return taints.map(({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`).join('\n');
}

const TAINT = /^([^=:\s]+)(?:=([^:\s]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/;

/** Taints from lines such as "gpu=true:NoSchedule"; throws BadLine. */
export function taintsOf<T extends Taint>(text: string): T[] {
  return linesOf(text).map((line) => {
    const match = TAINT.exec(line);
    if (!match) throw new BadLine(line);
    const [, key = '', value, effect = ''] = match;
    return { key, ...(value ? { value } : {}), effect } as T;
  });
}
