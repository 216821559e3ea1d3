import { afterEach, expect, test, vi } from 'vitest';
import { revisionsOf, selectorText } from '../src/api/rollouts';

afterEach(() => {
  vi.unstubAllGlobals();
});

test('a selector is written as a query has it', () => {
  const matchExpressions = [
    { key: 'tier', operator: 'In', values: ['a', 'b'] },
    { key: 'old', operator: 'DoesNotExist' },
    { key: 'new', operator: 'Exists' },
  ];
  expect(selectorText({ matchLabels: { app: 'web' }, matchExpressions })).toBe('app=web,tier in (a,b),!old,new');
});

function replicaSet(revision: string, image: string, owner: string) {
  return {
    metadata: {
      annotations: { 'deployment.kubernetes.io/revision': revision },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: owner, controller: true }],
    },
    spec: {
      template: {
        metadata: { labels: { app: 'web', 'pod-template-hash': 'x' } },
        spec: { containers: [{ name: 'web', image }] },
      },
    },
  };
}

test('the revisions of a Deployment are its own ReplicaSets, and one comes back without the hash of its pods', async () => {
  const items = [replicaSet('2', 'web:2', 'u'), replicaSet('10', 'web:10', 'u'), replicaSet('3', 'other:1', 'foreign')];
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify({ items }))));
  const found = await revisionsOf('', 'deployments', { metadata: { name: 'web', uid: 'u' } });
  expect(found.map(({ number, images }) => [number, images])).toEqual([
    [10, ['web:10']],
    [2, ['web:2']],
  ]);
  expect(found[1]?.undo.body).toEqual([
    {
      op: 'replace',
      path: '/spec/template',
      value: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:2' }] } },
    },
  ]);
});
