// The nodes of a cluster: as a survey through its API saw them, or, of one that was made here, by its Machines.

import type { Cluster, NodeFacts } from './kinds';

export function nodesOf(cluster: Cluster): NodeFacts[] {
  const seen = cluster.status?.facts?.nodes ?? [];
  if (seen.length > 0) return seen;
  return (cluster.status?.nodes ?? []).map(({ machine, node, ready, version, runtime }) => ({
    name: node ?? machine,
    ready: ready ?? false,
    kubeletVersion: version ?? '',
    runtime: runtime ?? '',
  }));
}
