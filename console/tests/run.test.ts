import { expect, test } from 'vitest';
import { BadLine } from '../src/api/written';
import { beginning, runWishOf, underWay, windowsOf } from '../src/pages/run';

test('windows are read as they are written, and back', () => {
  const windows = windowsOf('sat,Sunday 22:00 4h Europe/Berlin\n\n 1:30 45m');
  expect(windows).toEqual([
    { days: ['Sat', 'Sun'], start: '22:00', duration: '4h', timeZone: 'Europe/Berlin' },
    { days: [], start: '1:30', duration: '45m' },
  ]);
  expect(runWishOf({ windows }).windows).toBe('Sat,Sun 22:00 4h Europe/Berlin\n1:30 45m UTC');
});

test.each(['whenever', 'Sat 22:00', 'Someday 22:00 4h', '22 4h'])('%s is no window', (line) => {
  expect(() => windowsOf(line)).toThrow(BadLine);
});

test('a run begins with its first wave not approved', () => {
  const wish = { ...runWishOf(), waves: '2; 50% 100%', maxFailures: '1' };
  expect(beginning(wish, 'r1').spec.unify).toEqual({
    run: 'r1',
    state: 'Running',
    approval: 'Once',
    approvedWave: 0,
    cancelOperations: false,
    waves: [2, '50%', '100%'],
    maxClusters: 5,
    maxFailures: 1,
    windows: [],
  });
});

test.each([
  [undefined, 'Running', false],
  ['r', 'Running', true],
  ['r', 'Failed', true],
  ['r', 'Incomplete', false],
  ['other', 'Succeeded', true],
])('a run that the status calls %s, %s is under way: %s', (run, phase, expected) => {
  const unify = run === undefined ? {} : { run: 'r', state: 'Running' as const };
  const status = run === undefined ? {} : { unify: { run, phase: phase as 'Running' } };
  expect(underWay({ spec: { unify }, status })).toBe(expected);
});
