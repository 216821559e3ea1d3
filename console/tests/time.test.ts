import { expect, test, vi } from 'vitest';
import { localTime, span } from '../src/parts/Time';
import { en } from '../src/text/en';

test.each([
  [0, '0 s'],
  [119_999, '119 s'],
  [120_000, '2 min'],
  [7_199_999, '119 min'],
  [7_200_000, '2 h'],
  [172_799_999, '47 h'],
  [172_800_000, '2 d'],
])('%i ms are %s', (milliseconds, shown) => {
  expect(span(milliseconds, en)).toBe(shown);
});

test('a moment is written as the chosen language writes it, whatever the browser prefers', () => {
  vi.stubGlobal('navigator', { languages: ['zh-CN', 'en-GB'] });
  const style = { timeZone: 'UTC', dateStyle: 'long' } as const;
  expect(localTime('2026-02-01T00:00:00Z', 'en', style)).toBe('1 February 2026');
  expect(localTime('2026-02-01T00:00:00Z', 'zh', style)).toBe('2026年2月1日');
  vi.stubGlobal('navigator', { languages: ['zh-CN'] });
  expect(localTime('2026-02-01T00:00:00Z', 'en', style)).toBe('February 1, 2026');
  vi.unstubAllGlobals();
});
