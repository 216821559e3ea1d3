// Password users, bearer tokens and the audit log, and who may do what to them. They are not live: nobody can watch them.

import { useQuery } from '@tanstack/react-query';
import type { UseQueryResult } from '@tanstack/react-query';
import { json, send } from './http';
import type { Obj } from './resources';
import { useRights } from './session';
import { linesOf } from './written';

const GROUP = 'access.groundplane.dev';
const VERSION = `${GROUP}/v1alpha1`;
const BASE = `/apis/${VERSION}`;
// Rights in a namespace are none to what is in no namespace. There can be none of this name, so no binding is in it.
export const NOWHERE = '-';

export type Plural = 'users' | 'tokens' | 'auditevents';

export interface Holder extends Obj {
  spec: { groups: string[]; user?: string };
  status: { lastUsed?: string; expirationTimestamp?: string; token?: string };
}

export function useAccountRights(): (verb: string, resource: Plural | 'users/password') => boolean {
  const can = useRights(NOWHERE);
  return (verb, resource) => can(verb, resource, '', GROUP);
}

export const pathOf = (plural: Plural): string => `${BASE}/${plural}`;
export const keyOfAll = (plural: Plural): string[] => ['accounts', plural];

export function useAll(plural: 'users' | 'tokens'): UseQueryResult<Holder[]> {
  return useQuery({
    queryKey: keyOfAll(plural),
    queryFn: async () => (await json<{ items: Holder[] }>(pathOf(plural))).items,
  });
}

export function userOf(name: string, password: string, groups: string[]): object {
  return { apiVersion: VERSION, kind: 'User', metadata: { name }, spec: { groups, password } };
}

export function tokenOf(user: string, groups: string[], expirationSeconds: number): object {
  return { apiVersion: VERSION, kind: 'Token', spec: { user, groups, expirationSeconds } };
}

export async function make(plural: 'users' | 'tokens', body: object): Promise<Holder> {
  return json<Holder>(pathOf(plural), { method: 'POST', body });
}

export async function takeAway(plural: 'users' | 'tokens', name: string): Promise<void> {
  await send(`${pathOf(plural)}/${encodeURIComponent(name)}`, { method: 'DELETE' });
}

export async function setPassword(name: string, password: string): Promise<void> {
  const body = { apiVersion: VERSION, kind: 'PasswordChange', spec: { password } };
  await send(`${pathOf('users')}/${encodeURIComponent(name)}/password`, { method: 'PUT', body });
}

/** The names in a text, one in each line; each once. */
export function groupsOf(given: string): string[] {
  return [...new Set(linesOf(given))];
}
