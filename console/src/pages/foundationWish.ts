// What a Foundation says, as the form has it, and as the spec that says so. What the form does not know is left as it is.

import type { Foundation, FoundationSpec, OSEntry } from '../api/kinds';
import { linesOf, wordsOf } from '../api/written';

export interface FoundationWish {
  namespace: string;
  name: string;
  recommended: string;
  allowed: string;
  kernel: string;
  swap: string;
  timeSync: string;
  kdump: string;
  distribution: string;
  version: string;
  runtime: string;
  runtimeVersion: string;
  handlers: string;
  plugin: string;
  features: string;
}

export function foundationWishOf({ metadata, spec = {} }: Foundation): FoundationWish {
  const { operatingSystem = {}, kubernetes = {}, runtime = {}, network = {} } = spec;
  const { settings = {} } = operatingSystem;
  return {
    namespace: metadata?.namespace ?? 'default',
    name: metadata?.name ?? '',
    recommended: systemLines(operatingSystem.recommended),
    allowed: systemLines(operatingSystem.allowed),
    kernel: operatingSystem.kernel?.minimum ?? '',
    swap: settings.swap ?? 'Disabled',
    timeSync: settings.timeSync ?? 'Required',
    kdump: settings.kdump ?? 'Ignored',
    distribution: kubernetes.distribution ?? 'native',
    version: kubernetes.version ?? '',
    runtime: runtime.name ?? 'containerd',
    runtimeVersion: runtime.version ?? '',
    handlers: (runtime.handlers ?? ['runc']).join(', '),
    plugin: network.plugin ?? '',
    features: (network.features ?? []).join(', '),
  };
}

/** The spec that the form says, for a new Foundation or as a merge patch of one. */
export function specOf(wish: FoundationWish): FoundationSpec {
  return {
    operatingSystem: {
      recommended: systemsOf(wish.recommended),
      allowed: systemsOf(wish.allowed),
      kernel: { minimum: wish.kernel.trim() },
      settings: {
        swap: wish.swap as 'Disabled',
        timeSync: wish.timeSync as 'Required',
        kdump: wish.kdump as 'Ignored',
      },
    },
    kubernetes: { distribution: wish.distribution.trim(), version: wish.version.trim() },
    runtime: {
      name: wish.runtime as 'containerd',
      version: wish.runtimeVersion.trim(),
      handlers: wordsOf(wish.handlers),
    },
    network: { plugin: wish.plugin.trim(), features: wordsOf(wish.features) },
  };
}

/** Operating systems from lines such as "debian 11 12": the id, and the versions that will do. */
export function systemsOf(text: string): OSEntry[] {
  return linesOf(text)
    .map(wordsOf)
    .flatMap(([id, ...versions]) => (id === undefined ? [] : [{ id, versions }]));
}

function systemLines(entries: OSEntry[] = []): string {
  return entries.map(({ id, versions = [] }) => [id, ...versions].join(' ')).join('\n');
}
