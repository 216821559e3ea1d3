import { expect, test } from 'vitest';
import { placeIn, schemaAt } from '../src/api/schema';

const KINDS = {
  root: {
    properties: {
      spec: { allOf: [{ $ref: '#/components/schemas/Spec' }], description: 'what is wanted' },
      metadata: { properties: { labels: { additionalProperties: { type: 'string' } } } },
    },
  },
  all: {
    Spec: {
      properties: {
        runtime: { properties: { name: { enum: ['containerd', 'docker'] } } },
        containers: { items: { $ref: '#/definitions/Container' } },
      },
    },
    Container: { properties: { image: { type: 'string' } } },
  },
};

test('a schema is found below references, lists and maps', () => {
  expect(schemaAt(KINDS, [])?.properties).toHaveProperty('spec');
  expect(schemaAt(KINDS, ['spec'])?.description).toBe('what is wanted');
  expect(schemaAt(KINDS, ['spec', 'runtime', 'name'])?.enum).toEqual(['containerd', 'docker']);
  expect(schemaAt(KINDS, ['spec', 'containers'])?.properties).toHaveProperty('image');
  expect(schemaAt(KINDS, ['metadata', 'labels', 'any'])?.type).toBe('string');
  expect(schemaAt(KINDS, ['spec', 'none'])).toBeNull();
});

test.each([
  ['', [], null],
  ['sp', [], null],
  ['spec:\n  run', ['spec'], null],
  ['spec:\n  runtime:\n    name: con', ['spec', 'runtime'], 'name'],
  ['metadata:\n  name: a\nspec:\n  runtime:\n    name: docker\n  net', ['spec'], null],
  ['spec:\n  containers:\n  - name: a\n    im', ['spec', 'containers'], null],
  ['spec:\n  containers:\n  - na', ['spec', 'containers'], null],
  ['spec:\n  containers:\n    - name: a\n      image: x', ['spec', 'containers'], 'image'],
  ['spec:\n  containers:\n  - name: a\n    env:\n    - name: b\n      val', ['spec', 'containers', 'env'], null],
  ['spec:\n  a:\n    b: 1\n\n  # remark\n  c', ['spec'], null],
])('after %j the place is %j', (before, path, key) => {
  expect(placeIn(before)).toEqual({ path, key });
});
