// Secrets by which machines are logged in to. Only their names are asked for: what is in them stays on the server.

import { useQuery } from '@tanstack/react-query';
import { json } from './http';
import type { Obj } from './resources';
import { nameOf } from './resources';

interface Partial extends Obj {
  type?: string;
}

const PARTIAL = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

/** The names of the Secrets with keys for machines in a namespace; none for who may not list Secrets. */
export function useSshSecrets(namespace: string): string[] {
  const query = useQuery({ queryKey: ['ssh-secrets', namespace], queryFn: () => named(namespace) });
  return query.data ?? [];
}

async function named(namespace: string): Promise<string[]> {
  const selector = new URLSearchParams({ fieldSelector: 'type=groundplane.dev/ssh' });
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets?${selector.toString()}`;
  const { items } = await json<{ items: Partial[] }>(path, { accept: PARTIAL });
  return items.map(nameOf).sort();
}

export interface SshSecret {
  privateKey: string;
  passphrase: string;
  password: string;
}

/** Make a Secret; what is empty is left out. */
export async function makeSshSecret(
  namespace: string,
  name: string,
  given: SshSecret,
  labels: Record<string, string>,
): Promise<void> {
  const parts = { 'ssh-privatekey': given.privateKey, passphrase: given.passphrase, password: given.password };
  await json(`/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`, {
    method: 'POST',
    body: {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'groundplane.dev/ssh',
      metadata: { name, labels },
      stringData: Object.fromEntries(Object.entries(parts).filter(([, value]) => value)),
    },
  });
}
