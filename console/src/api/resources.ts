// Where the kinds are served.

import type { Cluster, Distribution, Foundation, Machine, ObjectMeta, Operation } from './kinds';

export interface Resource<T extends Obj> {
  base: string;
  plural: string;
  /** Never there: it carries the type of the objects. */
  readonly of?: T;
}

export interface Obj {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

const OURS = '/apis/groundplane.dev/v1alpha1';

export const CLUSTERS: Resource<Cluster> = { base: OURS, plural: 'clusters' };
export const MACHINES: Resource<Machine> = { base: OURS, plural: 'machines' };
export const FOUNDATIONS: Resource<Foundation> = { base: OURS, plural: 'foundations' };
export const DISTRIBUTIONS: Resource<Distribution> = { base: OURS, plural: 'distributions' };
export const OPERATIONS: Resource<Operation> = { base: OURS, plural: 'operations' };

/** The path of all objects of a resource, or of those in one namespace. */
export function listPath(resource: Resource<Obj>, namespace = ''): string {
  const inside = namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${resource.base}${inside}/${resource.plural}`;
}

/** The path of one object. */
export function objectPath(resource: Resource<Obj>, namespace: string, name: string): string {
  return `${listPath(resource, namespace)}/${encodeURIComponent(name)}`;
}

export function keyOf(object: Obj): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
}

export const nameOf = (object: Obj): string => object.metadata?.name ?? '';
export const namespaceOf = (object: Obj): string => object.metadata?.namespace ?? '';
