// Who is signed in, and what they may do: a button that would be refused is not shown.

import type { QueryClient } from '@tanstack/react-query';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { ApiError, json, onSignedOut } from './http';
import { forgetLists } from './live';
import { hangUp } from './streams';

export interface Session {
  user: string;
  groups: string[];
  until: string;
}

interface Rule {
  verbs: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
}

const SESSION = ['session'];

/** The session: undefined while it is asked for, null without one. */
export function useSession(): Session | null | undefined {
  const client = useQueryClient();
  useEffect(
    () =>
      onSignedOut(() => {
        begin(client, null);
      }),
    [client],
  );
  return useQuery({ queryKey: SESSION, queryFn: current, staleTime: Infinity, retry: retryUnreachable }).data;
}

/** Whatever was known belonged to whoever was signed in before. */
function begin(client: QueryClient, session: Session | null): void {
  forgetLists();
  hangUp();
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION[0] });
  client.setQueryData(SESSION, session);
}

async function current(): Promise<Session | null> {
  try {
    return await json<Session>('/session');
  } catch (error) {
    if (error instanceof ApiError && error.code === 401) return null;
    throw error;
  }
}

/** Whatever keeps the server from saying whose session it is, it will say so later. */
function retryUnreachable(count: number, error: Error): boolean {
  return error instanceof ApiError && count < 100;
}

interface Ways {
  ways: string[];
  oidc?: OidcWay;
}

/** An issuer where one can sign in: its name, and the address that leads there. */
export interface OidcWay {
  name: string;
  url: string;
}

/** The issuer where one can sign in; undefined while that is asked for, and when there is none. */
export function useOidcWay(): OidcWay | undefined {
  const ways = (): Promise<Ways> => json<Ways>('/login');
  return useQuery({ queryKey: ['ways'], queryFn: ways, staleTime: Infinity, retry: retryUnreachable }).data?.oidc;
}

export type Credentials = { user: string; password: string } | { token: string };

/** Sign in; throws ApiError with code 401 or 429. */
export function useSignIn(): (credentials: Credentials) => Promise<void> {
  const client = useQueryClient();
  return async (credentials) => {
    await json('/login', { method: 'POST', body: credentials });
    begin(client, await current());
  };
}

export function useSignOut(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    await json('/logout', { method: 'POST' });
    begin(client, null);
  };
}

/** Whether the user may do `verb` to `resource` ("clusters", "clusters/proxy") in a namespace; `group` is ours unless said. */
export type Can = (verb: string, resource: string, name?: string, group?: string) => boolean;

export function useRights(namespace: string): Can {
  const rules = useRules(namespace);
  return (verb, resource, name = '', group = 'groundplane.dev') =>
    (rules ?? []).some((rule) => allows(rule, verb, `${group}/${resource}`, name));
}

/** Whether it is known yet what the user may do in a namespace: until then everything seems to be refused. */
export function useRightsKnown(namespace: string): boolean {
  return useRules(namespace) !== undefined;
}

function useRules(namespace: string): Rule[] | undefined {
  return useQuery({ queryKey: ['rights', namespace], queryFn: () => rulesIn(namespace), staleTime: 60_000 }).data;
}

interface RulesReview {
  status: { resourceRules?: Rule[] };
}

async function rulesIn(namespace: string): Promise<Rule[]> {
  const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } };
  return (await json<RulesReview>(path, { method: 'POST', body })).status.resourceRules ?? [];
}

/** `what` is the group, a slash and the resource. */
function allows(rule: Rule, verb: string, what: string, name: string): boolean {
  const has = (given: string[] | undefined, wanted: string): boolean =>
    (given ?? []).some((one) => one === '*' || one === wanted);
  const slash = what.indexOf('/');
  const named = !rule.resourceNames?.length || rule.resourceNames.includes(name);
  return (
    named &&
    has(rule.verbs, verb) &&
    has(rule.apiGroups, what.slice(0, slash)) &&
    has(rule.resources, what.slice(slash + 1))
  );
}
