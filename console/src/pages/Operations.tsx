import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { Link } from 'react-router';
import type { Cell } from '../api/live';
import { useRows } from '../api/live';
import { OPERATIONS, keyOf, nameOf, namespaceOf } from '../api/resources';
import type { TableRow } from '../api/watch';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { stateColumn, words } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { Age } from '../parts/Time';
import { ObjectLink, linkTo } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Operations(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const { items, cell, ready, error } = useRows(OPERATIONS, namespace);
  return (
    <Page title={text.operations.title}>
      {error && <Problem error={error} what={text.operations.all} />}
      {!ready && !error && <Loading />}
      {ready && (
        <OperationTable
          operations={items}
          cell={cell}
          empty={<Notice title={text.operations.empty} next={text.operations.next} />}
        />
      )}
    </Page>
  );
}

interface TableProps {
  operations: TableRow[];
  cell: Cell;
  empty: ReactNode;
}

export function OperationTable({ operations, cell, empty }: TableProps): ReactNode {
  const text = useText();
  const shown = useMemo(() => columns(text, cell), [text, cell]);
  const rows = useMemo(() => newestFirst(operations), [operations]);
  return (
    <Table
      label={text.operations.title}
      rows={rows}
      columns={shown}
      rowKey={keyOf}
      empty={empty}
      exportName="operations"
      kept
    />
  );
}

function newestFirst(operations: TableRow[]): TableRow[] {
  const made = (operation: TableRow): string => operation.metadata?.creationTimestamp ?? '';
  return [...operations].sort((one, other) => made(other).localeCompare(made(one)));
}

function columns(text: Text, cell: Cell): Column<TableRow>[] {
  const { columns: title } = text;
  return [
    { key: 'name', title: title.name, value: nameOf, cell: (row) => <ObjectLink kind="operations" object={row} /> },
    {
      key: 'cluster',
      title: title.cluster,
      value: (row) => cell(row, 'Cluster'),
      cell: (row) => <ClusterOf operation={row} name={cell(row, 'Cluster')} />,
    },
    { key: 'action', title: title.action, value: (row) => actionOf(cell(row, 'Action'), text) },
    stateColumn('state', title.state, (row) => cell(row, 'Phase') || 'Pending', text),
    { key: 'progress', title: title.progress, value: (row) => cell(row, 'Progress') },
    {
      key: 'age',
      title: title.age,
      value: (row) => row.metadata?.creationTimestamp ?? '',
      cell: (row) => <Age of={row.metadata?.creationTimestamp} />,
      wide: true,
    },
    { key: 'namespace', title: title.namespace, value: namespaceOf, wide: true },
  ];
}

function actionOf(action: string, { names }: Text): string {
  return names?.actions[action] ?? words(action);
}

function ClusterOf({ operation, name }: { operation: TableRow; name: string }): ReactNode {
  return <Link to={linkTo('clusters', namespaceOf(operation), name)}>{name}</Link>;
}
