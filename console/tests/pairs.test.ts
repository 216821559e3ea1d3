import { expect, test } from 'vitest';
import { stays } from '../src/api/pods';
import { BadLine } from '../src/api/written';
import { labelLines, labelPatch, labelsOf, taintLines, taintsOf } from '../src/pages/pairs';

test('labels are read and written one for each line', () => {
  const labels = labelsOf('zone=a\n\n ssd \n');
  expect(labels).toEqual({ zone: 'a', ssd: '' });
  expect(labelLines(labels)).toBe('ssd\nzone=a');
});

test('a label that is not wanted any more is taken away', () => {
  expect(labelPatch({ zone: 'a', old: 'x' }, { zone: 'b' })).toEqual({ zone: 'b', old: null });
});

test('taints are read and written one for each line', () => {
  const taints = taintsOf('gpu=true:NoSchedule\nslow:PreferNoSchedule');
  expect(taints).toEqual([
    { key: 'gpu', value: 'true', effect: 'NoSchedule' },
    { key: 'slow', effect: 'PreferNoSchedule' },
  ]);
  expect(taintLines(taints)).toBe('gpu=true:NoSchedule\nslow:PreferNoSchedule');
});

test.each(['=a', 'a=b=c'])('%s is no label', (line) => {
  expect(() => labelsOf(line)).toThrow(BadLine);
});

test.each(['gpu', 'gpu:Never', ':NoSchedule'])('%s is no taint', (line) => {
  expect(() => taintsOf(line)).toThrow(BadLine);
});

const controlled = (kind: string) => ({ metadata: { ownerReferences: [{ kind, controller: true }] } });

test.each([
  [controlled('ReplicaSet'), ''],
  [controlled('DaemonSet'), 'DaemonSet'],
  [{ metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } }, 'mirror'],
  [{ ...controlled('Job'), status: { phase: 'Succeeded' } }, 'done'],
  [{ metadata: { ownerReferences: [{ kind: 'ReplicaSet' }] } }, 'unmanaged'],
])('of %j it is known whether it stays: %s', (pod, expected) => {
  expect(stays(pod as Parameters<typeof stays>[0])).toBe(expected);
});
