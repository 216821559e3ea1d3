// What a cluster is wished to be, as the form has it, and as the merge patch that says so.

import type { Cluster } from '../api/kinds';

export interface Wish {
  foundation: string;
  distribution: string;
  version: string;
  runtime: string;
  approval: string;
  maxUnavailable: string;
  drainTimeout: string;
  unmanagedPods: string;
}

export function wishOf({ spec = {} }: Cluster): Wish {
  const { change = {} } = spec;
  return {
    foundation: spec.foundationRef?.name ?? '',
    distribution: spec.kubernetes?.distribution ?? '',
    version: spec.kubernetes?.version ?? '',
    runtime: spec.runtime?.name ?? '',
    approval: change.approval ?? 'Manual',
    maxUnavailable: String(change.maxUnavailable ?? 1),
    drainTimeout: change.drain?.timeout ?? '5m',
    unmanagedPods: change.drain?.unmanagedPods ?? 'Refuse',
  };
}

/** What of `after` differs from `before`, as a merge patch; null when nothing does. */
export function patchOf(before: Wish, after: Wish): object | null {
  const differs = (...fields: (keyof Wish)[]): boolean => fields.some((field) => before[field] !== after[field]);
  const kubernetes = {
    ...(differs('distribution') ? { distribution: after.distribution || null } : {}),
    ...(differs('version') ? { version: after.version || null } : {}),
  };
  const drain = {
    ...(differs('drainTimeout') ? { timeout: after.drainTimeout } : {}),
    ...(differs('unmanagedPods') ? { unmanagedPods: after.unmanagedPods } : {}),
  };
  const change = {
    ...(differs('approval') ? { approval: after.approval } : {}),
    ...(differs('maxUnavailable') ? { maxUnavailable: countOf(after.maxUnavailable) } : {}),
    ...(Object.keys(drain).length > 0 ? { drain } : {}),
  };
  const spec = {
    ...(differs('foundation') ? { foundationRef: after.foundation ? { name: after.foundation } : null } : {}),
    ...(Object.keys(kubernetes).length > 0 ? { kubernetes } : {}),
    // Without a name the Foundation's is wanted, with all that it says of it.
    ...(differs('runtime') ? { runtime: after.runtime ? { name: after.runtime } : null } : {}),
    ...(Object.keys(change).length > 0 ? { change } : {}),
  };
  return Object.keys(spec).length > 0 ? { spec } : null;
}

/** A count, or a share such as "25%". */
export function countOf(given: string): number | string {
  return /^\d+$/.test(given.trim()) ? Number(given) : given.trim();
}

/** Whether a version of Kubernetes still runs on Docker: kubelet lost it in 1.24. Unknown versions are left to the server. */
export function takesDocker(version: string): boolean {
  const match = /^v?1\.(\d+)/.exec(version);
  return !match || Number(match[1]) < 24;
}
