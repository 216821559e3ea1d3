// What runs in a managed cluster, kind by kind, in the columns that the cluster itself has for it.

import type { ReactNode } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { ApiError } from '../api/http';
import { useTable } from '../api/live';
import type { Kind } from '../api/member';
import { kindPath, member, useKinds } from '../api/member';
import { keyOf, nameOf, namespaceOf } from '../api/resources';
import type { TableColumn, TableRow } from '../api/watch';
import { Loading, Notice, Problem } from '../parts/Notice';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { linkTo } from '../parts/links';
import { useText } from '../text';
import type { Text } from '../text/en';

/** What most people look for comes first. */
const USUAL = [
  'pods',
  'deployments',
  'statefulsets',
  'daemonsets',
  'jobs',
  'cronjobs',
  'services',
  'ingresses',
  'configmaps',
  'secrets',
  'persistentvolumeclaims',
  'persistentvolumes',
  'storageclasses',
  'nodes',
  'namespaces',
  'events',
];

export interface KindAddress {
  group: string;
  version: string;
  plural: string;
}

/** The address of a kind's list in the console; "-" stands for the core group. */
export function kindLink(cluster: { namespace: string; name: string }, kind: KindAddress): string {
  return `${linkTo('clusters', cluster.namespace, cluster.name)}/resources/${[kind.group || '-', kind.version, kind.plural].map(encodeURIComponent).join('/')}`;
}

export function Resources(): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const { namespace = '', name = '', group = '-', version = 'v1', plural = 'pods' } = useParams();
  const base = member(namespace, name);
  const { data: kinds, error } = useKinds(base);
  if (error instanceof ApiError) return <Problem error={error} what={text.resources.all} member />;
  if (!kinds) return <Loading />;
  const chosen = { group: group === '-' ? '' : group, version, plural };
  const cluster = { namespace, name };
  return (
    <>
      <div className="table-bar">
        <label className="beside">
          {text.resources.kind}
          <select
            className="field"
            value={kindKey(chosen)}
            onChange={(event) => {
              const kind = kinds.find((one) => kindKey(one) === event.target.value);
              if (kind) void navigate(kindLink(cluster, kind));
            }}
          >
            {ordered(kinds).map((kind) => (
              <option key={kindKey(kind)} value={kindKey(kind)}>
                {kind.group ? `${kind.kind} (${kind.group})` : kind.kind}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Rows key={kindKey(chosen)} base={base} cluster={cluster} kind={chosen} />
    </>
  );
}

function kindKey({ group, version, plural }: KindAddress): string {
  return `${group}/${version}/${plural}`;
}

function ordered(kinds: Kind[]): Kind[] {
  const rank = ({ plural }: Kind): number => (USUAL.includes(plural) ? USUAL.indexOf(plural) : USUAL.length);
  return [...kinds].sort((one, other) => rank(one) - rank(other) || one.kind.localeCompare(other.kind));
}

interface RowsProps {
  base: string;
  cluster: { namespace: string; name: string };
  kind: KindAddress;
}

function Rows({ base, cluster, kind }: RowsProps): ReactNode {
  const text = useText();
  const { items, columns, ready, error } = useTable(kindPath(base, kind));
  if (!ready) return error ? <Problem error={error} what={text.resources.all} member /> : <Loading />;
  const link = (row: TableRow): ReactNode => (
    <Link to={`${kindLink(cluster, kind)}/${namespaceOf(row) || '-'}/${encodeURIComponent(nameOf(row))}`}>
      {nameOf(row)}
    </Link>
  );
  return (
    <>
      {error && <Problem error={error} what={text.resources.all} member />}
      <Table
        label={kind.plural}
        rows={items}
        columns={shown(columns, items, link, text)}
        rowKey={keyOf}
        empty={<Notice title={text.resources.empty} />}
        exportName={kind.plural}
      />
    </>
  );
}

function shown(
  columns: TableColumn[],
  rows: TableRow[],
  link: (row: TableRow) => ReactNode,
  text: Text,
): Column<TableRow>[] {
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
