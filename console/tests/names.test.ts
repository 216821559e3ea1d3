import { expect, test } from 'vitest';
import steps from '../../docs/steps.md?raw';
import { names } from '../src/text/names.zh';

test('every step that a plan can have is called by a Chinese name, and no other', () => {
  const keys = new Set(Array.from(steps.matchAll(/^\| `([a-z-]+)` \|/gm), ([, key]) => key));
  expect(keys.size).toBeGreaterThan(30);
  expect(Object.keys(names.steps).sort()).toEqual([...keys].sort());
});

test.each(['conditions', 'steps', 'actions', 'events'] as const)('each of the %s has a name of its own', (kind) => {
  const words = Object.values(names[kind]);
  expect(new Set(words).size).toBe(words.length);
});
