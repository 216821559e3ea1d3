import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Operation } from '../api/kinds';
import { useLive } from '../api/live';
import { OPERATIONS, keyOf, nameOf, namespaceOf } from '../api/resources';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { Status, words } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { Age } from '../parts/Time';
import { ObjectLink, linkTo } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Operations(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const { items, ready, error } = useLive(OPERATIONS, namespace);
  return (
    <Page title={text.operations.title}>
      {error && <Problem error={error} what={text.operations.all} />}
      {!ready && !error && <Loading />}
      {ready && (
        <OperationTable
          operations={items}
          empty={<Notice title={text.operations.empty} next={text.operations.next} />}
        />
      )}
    </Page>
  );
}

export function OperationTable({ operations, empty }: { operations: Operation[]; empty: ReactNode }): ReactNode {
  const text = useText();
  return (
    <Table
      label={text.operations.title}
      rows={newestFirst(operations)}
      columns={columns(text)}
      rowKey={keyOf}
      empty={empty}
      exportName="operations"
      kept
    />
  );
}

function newestFirst(operations: Operation[]): Operation[] {
  const made = (operation: Operation): string => operation.metadata?.creationTimestamp ?? '';
  return [...operations].sort((one, other) => made(other).localeCompare(made(one)));
}

function columns(text: Text): Column<Operation>[] {
  const { columns: title } = text;
  const started = (row: Operation): string => row.status?.startedAt ?? row.metadata?.creationTimestamp ?? '';
  return [
    { key: 'name', title: title.name, value: nameOf, cell: (row) => <ObjectLink kind="operations" object={row} /> },
    {
      key: 'cluster',
      title: title.cluster,
      value: (row) => row.spec.clusterRef.name,
      cell: (row) => <ClusterOf operation={row} />,
    },
    { key: 'action', title: title.action, value: (row) => words(row.spec.plan.action) },
    {
      key: 'state',
      title: title.state,
      value: (row) => row.status?.phase ?? 'Pending',
      cell: (row) => <Status state={row.status?.phase ?? 'Pending'} />,
    },
    { key: 'progress', title: title.progress, value: (row) => row.status?.progress ?? '' },
    { key: 'started', title: title.started, value: started, cell: (row) => <Age of={started(row)} />, wide: true },
    { key: 'namespace', title: title.namespace, value: namespaceOf, wide: true },
  ];
}

function ClusterOf({ operation }: { operation: Operation }): ReactNode {
  const name = operation.spec.clusterRef.name;
  return <Link to={linkTo('clusters', namespaceOf(operation), name)}>{name}</Link>;
}
