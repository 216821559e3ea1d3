// The server's own Table of any kind, as a list of ours: its columns by their cells, and a link to each object.

import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { nameOf, namespaceOf } from '../api/resources';
import type { TableColumn, TableRow } from '../api/watch';
import type { Column } from '../parts/Table';
import type { Text } from '../text/en';

/** The columns that are shown; `address` is that of a row's page. */
export function tableColumns(
  columns: TableColumn[],
  rows: TableRow[],
  address: (row: TableRow) => string,
  text: Text,
): Column<TableRow>[] {
  const link = (row: TableRow): ReactNode => <Link to={address(row)}>{nameOf(row)}</Link>;
  const cells = columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => column.priority === 0 && column.name !== 'Name')
    .map(({ column, index }): Column<TableRow> => ({
      key: column.name,
      title: column.name,
      value: (row) => cell(row.cells[index]),
      wide: index > 2,
    }));
  const named: Column<TableRow> = { key: 'Name', title: text.columns.name, value: nameOf, cell: link };
  const inside: Column<TableRow> = { key: 'namespace', title: text.columns.namespace, value: namespaceOf };
  return [named, ...(rows.some(namespaceOf) ? [inside] : []), ...cells];
}

function cell(value: TableRow['cells'][number] | undefined): string | number {
  if (typeof value === 'number') return value;
  return value === null || value === undefined ? '' : String(value);
}
