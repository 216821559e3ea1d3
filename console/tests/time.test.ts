import { expect, test } from 'vitest';
import { span } from '../src/parts/Time';
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
