// The plan of a run by wave and cluster.

import { expect, test } from 'vitest';
import type { UnifyPlan, UnifyStep } from '../src/api/kinds';
import { blockedIn, byWave } from '../src/pages/unifyPlan';

const step = (number: number, wave: number, cluster: string, blocked = ''): UnifyStep => ({
  number,
  wave,
  cluster,
  action: 'MigrateRuntime',
  title: 'Migrate',
  blocked,
});

test('steps are told by wave and by cluster, in their order', () => {
  const plan: UnifyPlan = {
    foundation: 'f',
    canaries: ['a'],
    steps: [step(1, 1, 'a'), step(2, 2, 'b'), step(3, 2, 'b', 'no'), step(4, 2, 'c')],
  };
  const { waves, clusters } = byWave(plan);
  expect(clusters).toBe(3);
  expect(waves.map(({ number, canaries }) => [number, canaries])).toEqual([
    [1, true],
    [2, false],
  ]);
  expect(waves[1]?.clusters.map(({ name, steps }) => [name, steps.map(({ number }) => number)])).toEqual([
    ['b', [2, 3]],
    ['c', [4]],
  ]);
  expect(blockedIn(plan)).toBe(1);
});

test('a fleet of which nothing would be done has no waves', () => {
  expect(byWave({ foundation: 'f' })).toEqual({ waves: [], clusters: 0 });
});
