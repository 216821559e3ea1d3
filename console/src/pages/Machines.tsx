import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { Link } from 'react-router';
import type { Machine } from '../api/kinds';
import type { Cell } from '../api/live';
import { useRows } from '../api/live';
import { MACHINES, keyOf, nameOf, namespaceOf } from '../api/resources';
import { useRights } from '../api/session';
import type { TableRow } from '../api/watch';
import { LinkButton } from '../parts/Button';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { stateColumn } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { ObjectLink, linkTo } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Machines(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const { items, cell, ready, error } = useRows(MACHINES, namespace);
  const shown = useMemo(() => columns(text, cell), [text, cell]);
  const can = useRights(namespace || 'default');
  return (
    <Page title={text.machines.title}>
      {error && <Problem error={error} what={text.machines.all} />}
      {!ready && !error && <Loading />}
      {ready && (
        <Table
          label={text.machines.title}
          rows={items}
          columns={shown}
          rowKey={keyOf}
          exportName="machines"
          empty={<Notice title={text.machines.empty} next={text.machines.next} />}
          actions={can('create', 'machines') && <LinkButton to="/machines/new">{text.addMachines.open}</LinkButton>}
        />
      )}
    </Page>
  );
}

/** A Machine's state in one word, from its conditions. */
export function machineState(machine: Machine): string {
  return readyState(machine.status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? '');
}

/** The same from what the condition Ready says; "" without one. */
export function readyState(ready: string): string {
  if (!ready) return 'Pending';
  return ready === 'True' ? 'Ready' : ready === 'False' ? 'NotReady' : 'Unknown';
}

function columns(text: Text, cell: Cell): Column<TableRow>[] {
  const { columns: title } = text;
  return [
    { key: 'name', title: title.name, value: nameOf, cell: (row) => <ObjectLink kind="machines" object={row} /> },
    stateColumn('state', title.state, (row) => readyState(cell(row, 'Ready')), text),
    { key: 'address', title: title.address, value: (row) => cell(row, 'Address') },
    {
      key: 'cluster',
      title: title.cluster,
      value: (row) => cell(row, 'Cluster') || text.machines.unassigned,
      cell: (row) => <ClusterOf of={row} name={cell(row, 'Cluster')} free={text.machines.unassigned} />,
    },
    { key: 'role', title: title.role, value: (row) => text.roles[cell(row, 'Role')] ?? '' },
    { key: 'os', title: title.os, value: (row) => cell(row, 'OS'), wide: true },
    { key: 'kernel', title: title.kernel, value: (row) => cell(row, 'Kernel'), wide: true },
    { key: 'cpus', title: title.cpus, value: (row) => Number(cell(row, 'CPUs')), wide: true },
    {
      key: 'memory',
      title: title.memory,
      value: (row) => Number(cell(row, 'Memory')),
      cell: (row) => gib(Number(cell(row, 'Memory'))),
      wide: true,
    },
    { key: 'namespace', title: title.namespace, value: namespaceOf, wide: true },
  ];
}

function ClusterOf({ of, name, free }: { of: TableRow; name: string; free: string }): ReactNode {
  return name ? <Link to={linkTo('clusters', namespaceOf(of), name)}>{name}</Link> : free;
}

export function gib(bytes: number | undefined): string {
  return bytes ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : '';
}
