// A managed cluster's own API, through the gateway: what it serves, and where its objects are.

import { useQuery } from '@tanstack/react-query';
import type { UseQueryResult } from '@tanstack/react-query';
import { json } from './http';

export interface Kind {
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
  verbs: string[];
}

interface ApiResources {
  resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
}

interface ApiGroups {
  groups: { name: string; preferredVersion: { groupVersion: string; version: string } }[];
}

/** The path of a managed cluster's API. */
export function member(namespace: string, name: string): string {
  return `/clusters/${part(namespace)}/${part(name)}/proxy`;
}

/** The kinds that the cluster serves and that can be followed. */
export function useKinds(base: string): UseQueryResult<Kind[]> {
  return useQuery({ queryKey: ['kinds', base], queryFn: () => kindsOf(base), staleTime: 60_000 });
}

async function kindsOf(base: string): Promise<Kind[]> {
  const { groups } = await json<ApiGroups>(`${base}/apis`);
  const core = resourcesOf(base, '/api/v1', '', 'v1');
  const others = groups.map(({ name, preferredVersion: { groupVersion, version } }) =>
    // A group whose server is away hides none of the others.
    resourcesOf(base, `/apis/${groupVersion}`, name, version).catch(() => []),
  );
  return (await Promise.all([core, ...others])).flat();
}

async function resourcesOf(base: string, path: string, group: string, version: string): Promise<Kind[]> {
  const { resources } = await json<ApiResources>(`${base}${path}`);
  return resources
    .filter(({ name, verbs }) => verbs.includes('list') && verbs.includes('watch') && !name.includes('/'))
    .map(({ name, kind, namespaced, verbs }) => ({ group, version, plural: name, kind, namespaced, verbs }));
}

type Address = Pick<Kind, 'group' | 'version' | 'plural'>;

export function kindPath(base: string, { group, version, plural }: Address, namespace = ''): string {
  const root = group ? `${base}/apis/${part(group)}/${part(version)}` : `${base}/api/${part(version)}`;
  return `${root}${namespace ? `/namespaces/${part(namespace)}` : ''}/${part(plural)}`;
}

export function itemPath(base: string, kind: Address, namespace: string, name: string): string {
  return `${kindPath(base, kind, namespace)}/${part(name)}`;
}

/** A path with selectors, such as fieldSelector. */
export function selected(path: string, selectors: Record<string, string>): string {
  return `${path}?${new URLSearchParams(selectors).toString()}`;
}

/** One part of a path: a cluster, or whoever made a link, cannot lead out of the cluster's own API by it. */
function part(given: string): string {
  return /^\.{1,2}$/.test(given) ? '-' : encodeURIComponent(given);
}
