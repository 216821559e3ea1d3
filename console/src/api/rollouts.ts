// Earlier states of a workload, as its cluster keeps them: ReplicaSets of a Deployment, ControllerRevisions of the others.
// Going back does what `kubectl rollout undo` does.

import { json } from './http';
import { kindPath, selected } from './member';
import type { Obj } from './resources';
import { namespaceOf } from './resources';

interface Template {
  metadata?: { labels?: Record<string, string> };
  spec?: { containers?: { name: string; image?: string }[] };
}

export interface Workload extends Obj {
  spec?: {
    replicas?: number;
    template?: Template;
    selector?: Selector;
    containers?: { name: string; image?: string }[];
  };
}

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

interface Kept extends Obj {
  revision?: number;
  data?: { spec?: { template?: Template } };
  spec?: { template?: Template };
}

export interface Revision {
  number: number;
  made: string;
  images: string[];
  /** Why it was made, if whoever made it said so. */
  cause: string;
  /** What brings it back. */
  undo: { contentType: string; body: object };
}

const REVISION = 'deployment.kubernetes.io/revision';
const CAUSE = 'kubernetes.io/change-cause';
const HASH = 'pod-template-hash';

/** Whether a workload of this kind has a history. */
export function hasHistory(plural: string): boolean {
  return ['deployments', 'statefulsets', 'daemonsets'].includes(plural);
}

/** The revisions of a workload, newest first; the first of them is what runs, or is on its way. */
export async function revisionsOf(base: string, plural: string, workload: Workload): Promise<Revision[]> {
  const kind = {
    group: 'apps',
    version: 'v1',
    plural: plural === 'deployments' ? 'replicasets' : 'controllerrevisions',
  };
  const labelSelector = selectorText(workload.spec?.selector);
  const { items } = await json<{ items: Kept[] }>(
    selected(kindPath(base, kind, namespaceOf(workload)), { labelSelector }),
  );
  const own = items.filter(({ metadata }) =>
    metadata?.ownerReferences?.some(({ uid, controller }) => controller && uid === workload.metadata?.uid),
  );
  const read = plural === 'deployments' ? ofReplicaSet : ofRevision;
  return own.map(read).sort((one, other) => other.number - one.number);
}

function ofReplicaSet({ metadata, spec }: Kept): Revision {
  const labels = Object.fromEntries(
    Object.entries(spec?.template?.metadata?.labels ?? {}).filter(([key]) => key !== HASH),
  );
  const template = { ...spec?.template, metadata: { ...spec?.template?.metadata, labels } };
  return {
    ...described(metadata, spec?.template),
    number: Number(metadata?.annotations?.[REVISION] ?? 0),
    undo: {
      contentType: 'application/json-patch+json',
      body: [{ op: 'replace', path: '/spec/template', value: template }],
    },
  };
}

function ofRevision({ metadata, revision = 0, data = {} }: Kept): Revision {
  return {
    ...described(metadata, data.spec?.template),
    number: revision,
    undo: { contentType: 'application/strategic-merge-patch+json', body: data },
  };
}

function described(metadata: Obj['metadata'], template: Template | undefined): Omit<Revision, 'number' | 'undo'> {
  return {
    made: metadata?.creationTimestamp ?? '',
    images: (template?.spec?.containers ?? []).map(({ image = '' }) => image),
    cause: metadata?.annotations?.[CAUSE] ?? '',
  };
}

const OPERATORS: Record<string, string> = { In: 'in', NotIn: 'notin' };

/** A selector as a query has it. */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: Selector = {}): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${OPERATORS[operator] ?? operator} (${values.join(',')})`;
  });
  return [...labels, ...expressions].join(',');
}
