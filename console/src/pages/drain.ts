// Emptying a node as kubectl does: every pod is asked to leave by an eviction, which a PodDisruptionBudget may refuse for now,
// and is waited for until it is gone.

import { useEffect, useRef, useState } from 'react';
import { json, send } from '../api/http';
import { kindPath, selected } from '../api/member';
import type { Pod } from '../api/pods';
import { PODS, evict, evictionVersion, podsOn, stays } from '../api/pods';
import { keyOf, nameOf, namespaceOf } from '../api/resources';
import { lines, pause } from '../api/watch';

/** What was last heard of a pod; `why` says what keeps it, "" when it is on its way. */
export interface Told {
  pod: string;
  why: string;
}

const AGAIN = 5000;

interface Draining {
  /** Empty the node; ends when the last pod is gone, or the page is left. */
  start: (unmanaged: boolean) => Promise<void>;
  told: Told[];
}

export function useDrain(base: string, node: string): Draining {
  const [told, setTold] = useState<Told[]>([]);
  const ending = useRef<AbortController>(null);
  useEffect(
    () => () => {
      ending.current?.abort();
    },
    [],
  );
  const tell = (pod: Pod, why: string | null): void => {
    setTold((before) => {
      const others = before.filter((one) => one.pod !== keyOf(pod));
      return why === null ? others : [...others, { pod: keyOf(pod), why }];
    });
  };
  const start = async (unmanaged: boolean): Promise<void> => {
    ending.current?.abort();
    ending.current = new AbortController();
    await drain(base, node, unmanaged, ending.current.signal, tell);
  };
  return { start, told };
}

type Tell = (pod: Pod, why: string | null) => void;

async function drain(base: string, node: string, unmanaged: boolean, signal: AbortSignal, tell: Tell): Promise<void> {
  const version = await evictionVersion(base);
  const { items } = await json<{ items: Pod[] }>(podsOn(base, node), { signal });
  const going = items.filter((pod) => stays(pod) === '' || (unmanaged && stays(pod) === 'unmanaged'));
  await Promise.all(going.map((pod) => leave(base, pod, version, signal, tell)));
}

async function leave(base: string, pod: Pod, version: string, signal: AbortSignal, tell: Tell): Promise<void> {
  for (;;) {
    const { asked, why } = await evict(base, pod, version);
    tell(pod, why);
    if (asked) break;
    await pause(AGAIN, signal);
    signal.throwIfAborted();
  }
  await gone(base, pod, signal);
  tell(pod, null);
}

/** Wait until a pod is not there any more, or is another one of the same name. */
async function gone(base: string, pod: Pod, signal: AbortSignal): Promise<void> {
  const path = kindPath(base, PODS, namespaceOf(pod));
  const only = { fieldSelector: `metadata.name=${nameOf(pod)}` };
  for (;;) {
    const { items, metadata } = await json<ListOfPods>(selected(path, only), { signal });
    if (items[0]?.metadata?.uid !== pod.metadata?.uid) return;
    const following = { ...only, resourceVersion: metadata.resourceVersion, watch: '1' };
    const watched = await send(selected(path, following), { signal, lasting: true });
    for await (const line of lines(watched, signal)) {
      if ((JSON.parse(line) as { type: string }).type === 'DELETED') return;
    }
  }
}

interface ListOfPods {
  metadata: { resourceVersion: string };
  items: Pod[];
}
