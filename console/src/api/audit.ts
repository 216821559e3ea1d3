// The audit log, newest first, a part at a time.

import { useInfiniteQuery } from '@tanstack/react-query';
import type { UseInfiniteQueryResult } from '@tanstack/react-query';
import { pathOf } from './accounts';
import { json } from './http';
import type { Obj } from './resources';

export interface Event {
  stageTimestamp: string;
  verb: string;
  requestURI: string;
  user: { username?: string };
  impersonatedUser?: { username?: string };
  sourceIPs?: string[];
  objectRef?: { resource?: string; subresource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
}

export interface Recorded extends Obj {
  event: Event;
}

/** Every one may be empty: then it does not matter. `since` in seconds before now. */
export interface Filters {
  user: string;
  verb: string;
  resource: string;
  code: string;
  since: string;
}

export const NO_FILTERS: Filters = { user: '', verb: '', resource: '', code: '', since: '' };

const MOST_PARTS = 10;

interface Part {
  items: Recorded[];
  metadata: { continue?: string };
}

interface Parts {
  events: Recorded[];
}

const FIELDS = {
  user: 'event.user.username',
  verb: 'event.verb',
  resource: 'event.objectRef.resource',
  code: 'event.responseStatus.code',
} as const;

/** In place of a verb: all of those that may change something. */
export const CHANGES = 'changes';

// Reviews are questions, though they are asked by creating something.
const NO_CHANGES = [
  ...['get', 'list', 'watch'].map((verb) => `${FIELDS.verb}!=${verb}`),
  'event.objectRef.apiGroup!=authorization.k8s.io',
  'event.objectRef.apiGroup!=authentication.k8s.io',
];

/** The query of a part of the log; `now` in milliseconds, `after` where an earlier part ended. */
export function queryOf(filters: Filters, now: number, after: string): string {
  const terms = (Object.keys(FIELDS) as (keyof typeof FIELDS)[])
    .filter((name) => filters[name].trim() && filters[name] !== CHANGES)
    .map((name) => `${FIELDS[name]}=${escaped(filters[name].trim())}`);
  if (filters.verb === CHANGES) terms.push(...NO_CHANGES);
  const query = new URLSearchParams({ limit: '100' });
  if (terms.length > 0) query.set('fieldSelector', terms.join(','));
  if (filters.since) query.set('sinceTime', new Date(now - Number(filters.since) * 1000).toISOString());
  if (after) query.set('continue', after);
  return query.toString();
}

/** As field selectors want it: what separates terms is part of a value after a backslash. */
function escaped(value: string): string {
  return value.replaceAll(/[\\,=]/g, (one) => `\\${one}`);
}

/** The server reads a bounded part of the log at a time; parts with nothing in them are gone over, up to a point. */
async function partOf(filters: Filters, now: number, after: string, signal: AbortSignal): Promise<Part> {
  const read = (from: string): Promise<Part> =>
    json<Part>(`${pathOf('auditevents')}?${queryOf(filters, now, from)}`, { signal });
  let part = await read(after);
  for (let count = 1; part.items.length === 0 && part.metadata.continue && count < MOST_PARTS; count += 1) {
    part = await read(part.metadata.continue);
  }
  return part;
}

/** What is asked for at `now`; asked again, the newest events are others. */
export function useAudit(filters: Filters, now: number): UseInfiniteQueryResult<Parts> {
  return useInfiniteQuery({
    queryKey: ['audit', filters, now],
    queryFn: ({ pageParam, signal }) => partOf(filters, now, pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.metadata.continue,
    select: ({ pages }): Parts => ({ events: pages.flatMap(({ items }) => items) }),
    gcTime: 0,
  });
}
