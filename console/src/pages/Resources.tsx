// What is in a managed cluster, or in Groundplane itself, kind by kind, in the columns that its API has for it.

import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { ApiError } from '../api/http';
import { useTable } from '../api/live';
import type { Kind } from '../api/member';
import { kindPath, useKinds } from '../api/member';
import { keyOf, nameOf, namespaceOf } from '../api/resources';
import type { TableColumn, TableRow } from '../api/watch';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { useText } from '../text';
import type { Text } from '../text/en';
import type { KindAddress, Site } from './site';
import { kindLink, useSite } from './site';

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

export function Resources(): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const site = useSite();
  const { group, version, plural } = useParams();
  const { data: kinds, error } = useKinds(site.base);
  if (error instanceof ApiError) return <Problem error={error} what={text.resources.all} member={!site.own} />;
  if (!kinds) return <Loading />;
  const asked = plural ? { group: group === '-' ? '' : (group ?? ''), version: version ?? '', plural } : site.first;
  const chosen = kinds.find((one) => kindKey(one) === kindKey(asked));
  return (
    <>
      <div className="table-bar">
        <label className="beside">
          {text.resources.kind}
          <select
            className="field"
            value={kindKey(asked)}
            onChange={(event) => {
              const kind = kinds.find((one) => kindKey(one) === event.target.value);
              if (kind) void navigate(kindLink(site, kind));
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
      {chosen ? <Rows key={kindKey(chosen)} site={site} kind={chosen} /> : <Notice title={text.resources.notServed} />}
    </>
  );
}

/** Groundplane's own objects of every kind, such as roles and who has them. */
export function OwnObjects(): ReactNode {
  const text = useText();
  return (
    <Page title={text.menu.objects}>
      <Resources />
    </Page>
  );
}

function kindKey({ group, version, plural }: KindAddress): string {
  return `${group}/${version}/${plural}`;
}

function ordered(kinds: Kind[]): Kind[] {
  const rank = ({ plural }: Kind): number => (USUAL.includes(plural) ? USUAL.indexOf(plural) : USUAL.length);
  return [...kinds].sort((one, other) => rank(one) - rank(other) || one.kind.localeCompare(other.kind));
}

function Rows({ site, kind }: { site: Site; kind: Kind }): ReactNode {
  const text = useText();
  const { items, columns, ready, error } = useTable(kindPath(site.base, kind, kind.namespaced ? site.namespace : ''));
  const inside = items.some(namespaceOf);
  const base = kindLink(site, kind);
  const shown = useMemo(() => columnsOf(columns, inside, base, text), [columns, inside, base, text]);
  const problem = error && <Problem error={error} what={text.resources.all} member={!site.own} />;
  if (!ready) return problem ?? <Loading />;
  return (
    <>
      {problem}
      <Table
        label={kind.plural}
        rows={items}
        columns={shown}
        rowKey={keyOf}
        empty={<Notice title={text.resources.empty} />}
        exportName={kind.plural}
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
