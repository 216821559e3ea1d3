import { expect, test } from 'vitest';
import steps from '../../docs/steps.md?raw';
import { risks } from '../src/pages/Clusters';
import { en } from '../src/text/en';
import { names } from '../src/text/names.zh';
import { zh } from '../src/text/zh';

test('every step that a plan can have is called by a Chinese name, and no other', () => {
  const keys = new Set(Array.from(steps.matchAll(/^\| `([a-z-]+)` \|/gm), ([, key]) => key));
  expect(keys.size).toBeGreaterThan(30);
  expect(Object.keys(names.steps).sort()).toEqual([...keys].sort());
});

test.each(['conditions', 'steps', 'actions', 'events'] as const)('each of the %s has a name of its own', (kind) => {
  const words = Object.values(names[kind]);
  expect(new Set(words).size).toBe(words.length);
});

test('how many risks there are is said in the words of the language', () => {
  expect(risks('1 high, 12 low', zh)).toBe('高 1, 低 12');
  expect(risks('1 high, 12 low', en)).toBe('1 high, 12 low');
  expect(risks('', zh)).toBe('');
});
