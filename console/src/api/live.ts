// Live lists as React sees them: one for each path, shared by all who look, kept a while after the last one left so that
// going back shows what was there.

import { useSyncExternalStore } from 'react';
import type { Obj, Resource } from './resources';
import { keyOf, listPath } from './resources';
import type { Snapshot, TableRow } from './watch';
import { LiveList } from './watch';

const lists = new Map<string, LiveList<Obj>>();

function liveList<T extends Obj>(path: string, form: 'objects' | 'table' = 'objects'): LiveList<T> {
  const key = `${form} ${path}`;
  let list = lists.get(key);
  if (!list) {
    list = new LiveList<Obj>(path, form);
    lists.set(key, list);
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

/** All objects at a path, as the rows of the server's own table. */
export function useTable(path: string): Snapshot<TableRow> {
  const list = liveList<TableRow>(path, 'table');
  return useSyncExternalStore(list.subscribe, list.read);
}

/** All objects at a path, which may have selectors. */
export function useLiveAt<T extends Obj>(path: string): Snapshot<T> {
  const list = liveList<T>(path);
  return useSyncExternalStore(list.subscribe, list.read);
}

/** One of them; undefined while it is not there. */
export function useOne<T extends Obj>(
  resource: Resource<T>,
  namespace: string,
  name: string,
): Snapshot<T> & { item: T | undefined } {
  const all = useLive(resource, namespace);
  return { ...all, item: all.items.find((item) => keyOf(item) === `${namespace}/${name}`) };
}
