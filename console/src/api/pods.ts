// Pods and Nodes of a managed cluster, as far as the console looks into them, and how a node is emptied.

import { ApiError, json } from './http';
import { itemPath, kindPath, selected } from './member';
import type { Obj } from './resources';
import { nameOf, namespaceOf } from './resources';

export const PODS = { group: '', version: 'v1', plural: 'pods' };
export const NODES = { group: '', version: 'v1', plural: 'nodes' };

export interface Node extends Obj {
  spec?: { unschedulable?: boolean; taints?: { key: string; value?: string; effect: string }[]; podCIDR?: string };
  status?: {
    conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[];
    addresses?: { type: string; address: string }[];
    allocatable?: Record<string, string>;
    nodeInfo?: Record<string, string>;
  };
}

export interface Pod extends Obj {
  metadata?: Obj['metadata'] & { ownerReferences?: { kind: string; controller?: boolean }[] };
  spec?: { nodeName?: string };
  status?: { phase?: string };
}

/** The path of the pods on a node. */
export function podsOn(base: string, node: string): string {
  return selected(kindPath(base, PODS), { fieldSelector: `spec.nodeName=${node}` });
}

/** Why a pod stays when its node is emptied, or what has to be said before it goes; "" when it is evicted. */
export type Staying = '' | 'DaemonSet' | 'mirror' | 'done' | 'unmanaged';

export function stays(pod: Pod): Staying {
  const owner = pod.metadata?.ownerReferences?.find(({ controller }) => controller);
  if (pod.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined) return 'mirror';
  if (owner?.kind === 'DaemonSet') return 'DaemonSet';
  if (['Succeeded', 'Failed'].includes(pod.status?.phase ?? '')) return 'done';
  return owner ? '' : 'unmanaged';
}

/** Ask that a pod leaves its node. False when its PodDisruptionBudget does not allow that now; `why` says it. */
export async function evict(base: string, pod: Pod, version: string): Promise<{ asked: boolean; why: string }> {
  const { name, namespace } = { name: nameOf(pod), namespace: namespaceOf(pod) };
  const body = { apiVersion: `policy/${version}`, kind: 'Eviction', metadata: { name, namespace } };
  try {
    await json(`${itemPath(base, PODS, namespace, name)}/eviction`, { method: 'POST', body });
    return { asked: true, why: '' };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === 404) return { asked: true, why: '' };
    if (error.code === 429) return { asked: false, why: error.message };
    throw error;
  }
}

interface ApiResources {
  resources: { name: string; group?: string; version?: string }[];
}

/** The version of evictions that a cluster takes: v1beta1 before Kubernetes 1.22. */
export async function evictionVersion(base: string): Promise<string> {
  const { resources } = await json<ApiResources>(`${base}/api/v1`);
  return resources.find(({ name }) => name === 'pods/eviction')?.version ?? 'v1';
}
