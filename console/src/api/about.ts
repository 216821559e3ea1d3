// What the server tells of itself: what it knows, how it is set, how its parts are. Nobody can watch or change it.

import { useQuery } from '@tanstack/react-query';
import type { UseQueryResult } from '@tanstack/react-query';
import { NOWHERE } from './accounts';
import { json } from './http';
import type { Obj } from './resources';
import { useRights, useRightsKnown } from './session';

const GROUPS = {
  catalogtables: 'catalog.groundplane.dev',
  serversettings: 'server.groundplane.dev',
  serverchecks: 'server.groundplane.dev',
} as const;

type Plural = keyof typeof GROUPS;

/** What a row says in one column. */
export type Value = string | number | string[] | Record<string, string>;

export interface CatalogRow {
  values: Record<string, Value>;
  source: string;
  date: string;
  /** A day, or "settled". */
  review: string;
  verified: string;
  origin: string;
}

export interface CatalogTable extends Obj {
  spec: { title: string; key: string[]; columns: string[]; rows: CatalogRow[] };
}

export interface ServerSetting extends Obj {
  spec: {
    value: string;
    default: string;
    differs: boolean;
    origin: string;
    variable?: string;
    flag?: string;
    file?: string;
    secret?: boolean;
  };
}

export interface ServerCheck extends Obj {
  spec: { state: string; message: string };
}

export function useAboutRights(): (plural: Plural) => boolean {
  const can = useRights(NOWHERE);
  return (plural) => can('list', plural, '', GROUPS[plural]);
}

export const useAboutRightsKnown = (): boolean => useRightsKnown(NOWHERE);

function useAbout<T extends Obj>(plural: Plural): UseQueryResult<T[]> {
  return useQuery({
    queryKey: ['about', plural],
    queryFn: async ({ signal }) =>
      (await json<{ items: T[] }>(`/apis/${GROUPS[plural]}/v1alpha1/${plural}`, { signal })).items,
  });
}

export const useCatalog = (): UseQueryResult<CatalogTable[]> => useAbout('catalogtables');
export const useServerSettings = (): UseQueryResult<ServerSetting[]> => useAbout('serversettings');
export const useServerChecks = (): UseQueryResult<ServerCheck[]> => useAbout('serverchecks');

/** The version of Groundplane, which the server tells behind that of Kubernetes whose API it has. */
export function useVersion(): UseQueryResult<string> {
  return useQuery({
    queryKey: ['version'],
    queryFn: async ({ signal }) =>
      (await json<{ gitVersion: string }>('/version', { signal })).gitVersion.split('+groundplane.')[1] ?? '',
  });
}

/** The day of today where days begin with those of the catalogue. */
export const today = (): string => new Date().toISOString().slice(0, 10);

export const isPast = ({ review }: CatalogRow, day: string): boolean => review !== 'settled' && review <= day;

/** A value in one line. */
export function inLine(value: Value | undefined): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value === 'object')
    return Object.entries(value)
      .map(([name, one]) => `${name} ${one}`)
      .join(', ');
  return String(value);
}

/** The host of a source that can be followed; "" when the address is none of https. */
export function hostOf(source: string): string {
  const parsed = URL.canParse(source) ? new URL(source) : undefined;
  return parsed?.protocol === 'https:' ? parsed.host : '';
}
