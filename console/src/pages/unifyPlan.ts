// The plan of a run as it is read: by wave, then by cluster.

import type { UnifyPlan, UnifyStep } from '../api/kinds';

export interface PlannedCluster {
  name: string;
  steps: UnifyStep[];
}

export interface PlannedWave {
  number: number;
  canaries: boolean;
  clusters: PlannedCluster[];
}

/** Waves in their order with their clusters, and how many clusters there are in all. */
export function byWave({ steps = [], canaries = [] }: UnifyPlan): { waves: PlannedWave[]; clusters: number } {
  const waves = new Map<number, Map<string, UnifyStep[]>>();
  for (const step of steps) {
    const wave = waves.get(step.wave) ?? new Map<string, UnifyStep[]>();
    waves.set(step.wave, wave.set(step.cluster, [...(wave.get(step.cluster) ?? []), step]));
  }
  const found = [...waves].map(([number, clusters]) => ({
    number,
    canaries: [...clusters.keys()].some((name) => canaries.includes(name)),
    clusters: [...clusters].map(([name, own]) => ({ name, steps: own })),
  }));
  return { waves: found, clusters: found.reduce((count, wave) => count + wave.clusters.length, 0) };
}

export function blockedIn({ steps = [] }: UnifyPlan): number {
  return steps.filter(({ blocked }) => blocked).length;
}
