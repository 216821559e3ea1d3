// The nodes of a cluster: as a survey through its API saw them, by what they stand on, and, of one that was made here, its
// Machines.

import type { Cluster, NodeSummary, StackFacts } from './kinds';

export interface SeenNode {
  name: string;
  state: 'Ready' | 'NotReady' | 'Unknown';
  version: string;
  runtime: string;
  kernel: string;
  os: string;
}

export function nodesOf({ status }: Cluster): SeenNode[] {
  const members = new Map((status?.nodes ?? []).map((member) => [member.node || member.machine, member]));
  const seen = (status?.facts?.stacks ?? []).flatMap((stack) =>
    (stack.nodes ?? []).map((name) => on(stack, name, members.get(name))),
  );
  const known = new Set(seen.map(({ name }) => name));
  const others = [...members].filter(([name]) => !known.has(name)).map(([name, member]) => on({}, name, member));
  return [...seen, ...others];
}

function on(stack: StackFacts, name: string, member: NodeSummary | undefined): SeenNode {
  return {
    name,
    state: member ? (member.ready ? 'Ready' : 'NotReady') : stateOn(stack),
    version: member?.version || (stack.kubelet ?? ''),
    runtime: member?.runtime || (stack.runtime ?? ''),
    kernel: stack.kernel ?? '',
    os: stack.osImage ?? '',
  };
}

/** Of nodes on one stack it is kept how many are ready, and not which. */
function stateOn({ ready = 0, count = 0 }: StackFacts): SeenNode['state'] {
  if (ready === count) return 'Ready';
  return ready === 0 ? 'NotReady' : 'Unknown';
}
