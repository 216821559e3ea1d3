// Live lists as React sees them: one for each path, shared by all who look, kept a while after the last one left so that
// going back shows what was there.

import { useSyncExternalStore } from 'react';
import type { Obj, Resource } from './resources';
import { keyOf, listPath } from './resources';
import type { Snapshot } from './watch';
import { LiveList } from './watch';

const lists = new Map<string, LiveList<Obj>>();

function liveList<T extends Obj>(path: string): LiveList<T> {
  let list = lists.get(path);
  if (!list) {
    list = new LiveList<Obj>(path);
    lists.set(path, list);
  }
  return list as unknown as LiveList<T>;
}

/** Forget everything: another user has another view. */
export function forgetLists(): void {
  lists.clear();
}

/** All objects of a resource that the user may see, as they are now. */
export function useLive<T extends Obj>(resource: Resource<T>, namespace = ''): Snapshot<T> {
  const list = liveList<T>(listPath(resource, namespace));
  return useSyncExternalStore(list.subscribe, list.read);
}

/** One of them; undefined while it is not there. */
export function useOne<T extends Obj>(
  resource: Resource<T>,
  namespace: string,
  name: string,
): Snapshot<T> & { item: T | undefined } {
  const all = useLive(resource);
  return { ...all, item: all.items.find((item) => keyOf(item) === `${namespace}/${name}`) };
}
