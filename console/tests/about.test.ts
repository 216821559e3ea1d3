import { expect, test } from 'vitest';
import { hostOf, inLine, isPast } from '../src/api/about';
import type { CatalogRow } from '../src/api/about';
import { placeOf } from '../src/pages/Settings';
import { en } from '../src/text/en';
import { zh } from '../src/text/zh';

test('only addresses of https can be followed', () => {
  expect(hostOf('https://kubernetes.io/releases/')).toBe('kubernetes.io');
  for (const source of [
    'http://kubernetes.io',
    'javascript:alert(1)',
    'data:text/html,x',
    '//kubernetes.io',
    '',
    'a b',
  ])
    expect(hostOf(source)).toBe('');
});

test('a value is said in one line, nothing as nothing', () => {
  expect(inLine(['1.5.0', '1.6.0'])).toBe('1.5.0, 1.6.0');
  expect(inLine({ kubernetes: '>=1.10', cri: 'v1' })).toBe('kubernetes >=1.10, cri v1');
  expect(inLine(0)).toBe('0');
  expect(inLine(undefined)).toBe('');
});

test('a day of review is past from that day on, and what is settled never', () => {
  const row = { review: '2026-11-20' } as CatalogRow;
  expect([isPast(row, '2026-11-19'), isPast(row, '2026-11-20')]).toEqual([false, true]);
  expect(isPast({ ...row, review: 'settled' }, '2099-01-01')).toBe(false);
});

test('where a setting is changed is told by its variable, its flag or its file', () => {
  const spec = { value: '', default: '', differs: false, origin: 'Default' };
  expect(placeOf({ ...spec, file: '/h/server.yaml' }, en.settings)).toBe('/h/server.yaml');
  expect(placeOf({ ...spec, variable: 'GROUNDPLANE_CACHE' }, en.settings)).toBe('GROUNDPLANE_CACHE');
  expect(placeOf({ ...spec, variable: 'GROUNDPLANE_HOME', flag: '--home' }, en.settings)).toContain('--home');
});

test('Chinese says of every column, table and setting what English says of it', () => {
  for (const part of ['columns', 'tables', 'ways', 'origins'] as const)
    expect(Object.keys(zh.catalog[part])).toEqual(Object.keys(en.catalog[part]));
  for (const part of ['meanings', 'origins', 'states'] as const)
    expect(Object.keys(zh.settings[part])).toEqual(Object.keys(en.settings[part]));
  expect(Object.keys(zh.catalog.titles)).toEqual(Object.keys(en.catalog.tables));
});
