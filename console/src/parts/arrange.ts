// What is searched for in a list, and its order. "runtime:docker eu" finds rows whose column Runtime has "docker", and that
// say "eu" somewhere.

import type { Column } from './Table';

export interface Order {
  key: string;
  down: boolean;
}

export function arranged<T>(rows: T[], columns: Column<T>[], search: string, order: Order): T[] {
  const found = filtered(rows, columns, search);
  const column = columns.find(({ key }) => key === order.key);
  if (!column) return found;
  const sign = order.down ? -1 : 1;
  return found.sort((one, other) => sign * compared(column.value(one), column.value(other)));
}

function filtered<T>(rows: T[], columns: Column<T>[], search: string): T[] {
  const says = (column: Column<T>, row: T, wanted: string): boolean =>
    [column.value(row), column.word?.(row) ?? ''].some((each) => String(each).toLowerCase().includes(wanted));
  const words: string[] = [];
  const filters: { column: Column<T>; wanted: string }[] = [];
  for (const word of search.trim().toLowerCase().split(/\s+/).filter(Boolean)) {
    const colon = word.indexOf(':');
    const named = word.slice(0, Math.max(colon, 0));
    const column = columns.find(({ key, title }) => named && [key, title].some((one) => one.toLowerCase() === named));
    if (column) filters.push({ column, wanted: word.slice(colon + 1) });
    else words.push(word);
  }
  const anywhere = words.join(' ');
  return rows.filter(
    (row) =>
      filters.every(({ column, wanted }) => says(column, row, wanted)) &&
      (anywhere === '' || columns.some((column) => says(column, row, anywhere))),
  );
}

const collator = new Intl.Collator(undefined, { numeric: true });

function compared(one: string | number, other: string | number): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return collator.compare(String(one), String(other));
}
