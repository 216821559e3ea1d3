// Live lists as React sees them: one for each path, shared by all who look, kept a while after the last one left so that
// going back shows what was there.

import { useMemo, useSyncExternalStore } from 'react';
import { selected } from './member';
import type { Obj, Resource } from './resources';
import { keyOf, listPath } from './resources';
import type { Snapshot, TableColumn, TableRow } from './watch';
import { LiveList } from './watch';

const lists = new Map<string, LiveList<Obj>>();

// Events that nobody sees are not worth their way.
const seen = (): boolean => document.visibilityState === 'visible';
let told = false;

function tellLists(): void {
  if (told) return;
  told = true;
  document.addEventListener('visibilitychange', () => {
    for (const list of lists.values()) list.setSeen(seen());
  });
}

function liveList<T extends Obj>(path: string, form: 'objects' | 'table' = 'objects'): LiveList<T> {
  const key = `${form} ${path}`;
  let list = lists.get(key);
  if (!list) {
    tellLists();
    list = new LiveList<Obj>(path, form);
    list.setSeen(seen());
    lists.set(key, list);
  }
  return list as unknown as LiveList<T>;
}

/** Forget everything: another user has another view. */
export function forgetLists(): void {
  lists.clear();
}

/** All objects of a resource that the user may see, as they are now: for a kind of which there are few. */
export function useLive<T extends Obj>(resource: Resource<T>, namespace = ''): Snapshot<T> {
  return useLiveAt<T>(listPath(resource, namespace));
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

/** What a cell says, by the name of its column; "" when it is empty. */
export type Cell = (row: TableRow, column: string) => string;

/** All objects of a resource that the user may see, as the server's table shows them. */
export function useRows(resource: Resource<Obj>, namespace = ''): Snapshot<TableRow> & { cell: Cell } {
  const rows = useTable(listPath(resource, namespace));
  const { columns } = rows;
  const cell = useMemo(() => reader(columns), [columns]);
  return { ...rows, cell };
}

function reader(columns: TableColumn[]): Cell {
  const places = new Map(columns.map(({ name }, place) => [name, place]));
  return (row, column) => String(row.cells[places.get(column) ?? -1] ?? '');
}

/** One object; undefined while it is not there. */
export function useOne<T extends Obj>(
  resource: Resource<T>,
  namespace: string,
  name: string,
): Snapshot<T> & { item: T | undefined } {
  const found = useLiveAt<T>(selected(listPath(resource, namespace), { fieldSelector: `metadata.name=${name}` }));
  return { ...found, item: found.items.find((item) => keyOf(item) === `${namespace}/${name}`) };
}
