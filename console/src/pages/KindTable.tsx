// All objects of one kind, or those that a selector chooses, live and in the columns that the server has for them.

import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { Link } from 'react-router';
import { useTable } from '../api/live';
import { keyOf, nameOf, namespaceOf } from '../api/resources';
import type { TableColumn, TableRow } from '../api/watch';
import { Loading, Notice, Problem } from '../parts/Notice';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { useText } from '../text';
import type { Text } from '../text/en';
import type { KindAddress, Site } from './site';
import { kindLink } from './site';

interface Props {
  site: Site;
  kind: KindAddress;
  path: string;
  label: string;
  /** What is said when there is none. */
  empty: string;
  exportName?: string;
}

export function KindTable({ site, kind, path, label, empty, exportName }: Props): ReactNode {
  const text = useText();
  const { items, columns, ready, error } = useTable(path);
  const inside = items.some(namespaceOf);
  const base = kindLink(site, kind);
  const shown = useMemo(() => columnsOf(columns, inside, base, text), [columns, inside, base, text]);
  const problem = error && <Problem error={error} what={text.resources.all} member={!site.own} />;
  if (!ready) return problem ?? <Loading />;
  return (
    <>
      {problem}
      <Table
        label={label}
        rows={items}
        columns={shown}
        rowKey={keyOf}
        empty={<Notice title={empty} />}
        {...(exportName === undefined ? {} : { exportName })}
      />
    </>
  );
}

/** The server's columns as ours; with `inside` that of the namespace. */
function columnsOf(columns: TableColumn[], inside: boolean, base: string, text: Text): Column<TableRow>[] {
  const link = (row: TableRow): ReactNode => (
    <Link to={`${base}/${namespaceOf(row) || '-'}/${encodeURIComponent(nameOf(row))}`}>{nameOf(row)}</Link>
  );
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
  const space: Column<TableRow> = { key: 'namespace', title: text.columns.namespace, value: namespaceOf };
  return [named, ...(inside ? [space] : []), ...cells];
}

function cell(value: TableRow['cells'][number] | undefined): string | number {
  if (typeof value === 'number') return value;
  return value === null || value === undefined ? '' : String(value);
}
