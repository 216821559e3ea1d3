import { expect, test } from 'vitest';
import { groupsOf } from '../src/api/accounts';
import { NO_FILTERS, queryOf } from '../src/api/audit';
import { whatOf, whichOf, whoOf } from '../src/pages/Audit';
import { en } from '../src/text/en';

const NOW = Date.UTC(2026, 10, 20, 10);

test('groups are read from lines, each once', () => {
  expect(groupsOf(' a \n\nb c\na\r\n')).toEqual(['a', 'b c']);
  expect(groupsOf('')).toEqual([]);
});

test('only what is asked for is in the query', () => {
  expect(queryOf(NO_FILTERS, NOW, '')).toBe('limit=100');
  const query = new URLSearchParams(queryOf({ ...NO_FILTERS, user: ' ada ', code: '403', since: '3600' }, NOW, '7-1'));
  expect(Object.fromEntries(query)).toEqual({
    limit: '100',
    fieldSelector: 'event.user.username=ada,event.responseStatus.code=403',
    sinceTime: '2026-11-20T09:00:00.000Z',
    continue: '7-1',
  });
});

test('changes are everything but reading and asking', () => {
  const query = new URLSearchParams(queryOf({ ...NO_FILTERS, verb: 'changes' }, NOW, ''));
  expect(query.get('fieldSelector')?.split(',')).toEqual([
    'event.verb!=get',
    'event.verb!=list',
    'event.verb!=watch',
    'event.objectRef.apiGroup!=authorization.k8s.io',
    'event.objectRef.apiGroup!=authentication.k8s.io',
  ]);
});

test('what separates terms of a selector stays part of a name', () => {
  const query = new URLSearchParams(queryOf({ ...NO_FILTERS, user: 'a,event.verb=get\\' }, NOW, ''));
  expect(query.get('fieldSelector')).toBe('event.user.username=a\\,event.verb\\=get\\\\');
});

test('an event says who asked for what', () => {
  const base = { stageTimestamp: '', verb: 'post', requestURI: '/login?x=1', user: { username: 'ada' } };
  expect([whoOf(base, en.audit.as), whatOf(base), whichOf(base)]).toEqual(['ada', '/login', '']);
  const objectRef = { resource: 'serviceaccounts', subresource: 'token', namespace: 'default', name: 'robot' };
  const event = { ...base, impersonatedUser: { username: 'bob' }, objectRef };
  expect([whoOf(event, en.audit.as), whatOf(event), whichOf(event)]).toEqual([
    'ada as bob',
    'serviceaccounts/token',
    'default/robot',
  ]);
});
