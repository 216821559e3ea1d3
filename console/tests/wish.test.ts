import { expect, test } from 'vitest';
import { countOf, patchOf, takesDocker, wishOf } from '../src/pages/wish';

const CLUSTER = {
  spec: {
    foundationRef: { name: 'production' },
    runtime: { name: 'docker' as const, handlers: ['runc'] },
    change: { approval: 'Manual' as const, drain: { timeout: '5m' } },
  },
};

test('what is not touched is not written', () => {
  expect(patchOf(wishOf(CLUSTER), wishOf(CLUSTER))).toBeNull();
});

test('a migration names the runtime and nothing else, so that its handlers stay', () => {
  const wish = wishOf(CLUSTER);
  expect(patchOf(wish, { ...wish, runtime: 'containerd' })).toEqual({ spec: { runtime: { name: 'containerd' } } });
});

test('what is left empty is taken away, and the Foundation decides', () => {
  const wish = { ...wishOf(CLUSTER), version: 'v1.20.6' };
  expect(patchOf(wish, { ...wish, runtime: '', version: '', foundation: '' })).toEqual({
    spec: { foundationRef: null, kubernetes: { version: null }, runtime: null },
  });
});

test('how a change is made goes by field', () => {
  const wish = wishOf(CLUSTER);
  expect(patchOf(wish, { ...wish, maxUnavailable: '25%', unmanagedPods: 'Delete' })).toEqual({
    spec: { change: { maxUnavailable: '25%', drain: { unmanagedPods: 'Delete' } } },
  });
});

test.each([
  ['2', 2],
  [' 10% ', '10%'],
  ['some', 'some'],
])('%s counts as %s', (given, count) => {
  expect(countOf(given)).toBe(count);
});

test.each([
  ['v1.23.17', true],
  ['v1.24.0', false],
  ['1.30', false],
  ['', true],
])('Kubernetes %s takes Docker: %s', (version, takes) => {
  expect(takesDocker(version)).toBe(takes);
});
