// A kubeconfig as it was pasted: which contexts are in it, and one of them by itself.

import { parse, stringify } from 'yaml';

interface Named {
  name: string;
  value: Record<string, unknown>;
}

export interface Context {
  name: string;
  server: string;
  /** How it logs in: "token", "client certificate", "command aws", or what is wrong with it. */
  login: string;
  /** Why it cannot be used from here; "" when it can. */
  problem: '' | 'file' | 'login' | 'server';
  /** The field that is the problem. */
  field: string;
}

export class NotKubeconfig extends Error {}

const FILES = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'];

/** The contexts of a kubeconfig; throws NotKubeconfig. */
export function contextsOf(text: string): Context[] {
  const config = read(text);
  return listed(config, 'contexts', 'context').map(({ name }) => described(config, name));
}

/** A kubeconfig of one context, with what belongs to it and nothing else. */
export function onlyContext(text: string, name: string): string {
  const config = read(text);
  const { context, cluster, user } = parts(config, name);
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    contexts: [{ name, context: context.value }],
    clusters: [{ name: cluster.name, cluster: cluster.value }],
    users: [{ name: user.name, user: user.value }],
  });
}

function described(config: Record<string, unknown>, name: string): Context {
  const { cluster, user } = parts(config, name);
  const server = words(cluster.value.server);
  const field = FILES.find((file) => file in cluster.value || file in user.value) ?? '';
  const login = loginOf(user.value);
  const problem = !server ? 'server' : field ? 'file' : !login ? 'login' : '';
  return { name, server, login, problem, field };
}

function loginOf(user: Record<string, unknown>): string {
  if (user.token) return 'token';
  if (user['client-certificate-data']) return 'client certificate';
  const exec = user.exec as { command?: string } | undefined;
  return exec ? `command ${exec.command ?? ''}` : '';
}

function read(text: string): Record<string, unknown> {
  let config: unknown;
  try {
    config = parse(text);
  } catch (error) {
    throw new NotKubeconfig(String(error));
  }
  if (!isObject(config) || !Array.isArray(config.contexts)) throw new NotKubeconfig('contexts');
  return config;
}

function listed(config: Record<string, unknown>, list: string, kind: string): Named[] {
  const found = Array.isArray(config[list]) ? (config[list] as unknown[]) : [];
  return found.filter(isObject).map((entry) => ({
    name: words(entry.name),
    value: isObject(entry[kind]) ? entry[kind] : {},
  }));
}

function parts(config: Record<string, unknown>, name: string) {
  const context = one(listed(config, 'contexts', 'context'), name);
  return {
    context,
    cluster: one(listed(config, 'clusters', 'cluster'), words(context.value.cluster)),
    user: one(listed(config, 'users', 'user'), words(context.value.user)),
  };
}

function one(found: Named[], name: string): Named {
  return found.find((entry) => entry.name === name) ?? { name, value: {} };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function words(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
