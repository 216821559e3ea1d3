import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Machine } from '../api/kinds';
import { useLive } from '../api/live';
import { MACHINES, keyOf, nameOf, namespaceOf } from '../api/resources';
import { useRights } from '../api/session';
import { LinkButton } from '../parts/Button';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { Status } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { ObjectLink, linkTo } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Machines(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const { items, ready, error } = useLive(MACHINES, namespace);
  const can = useRights(namespace || 'default');
  return (
    <Page title={text.machines.title}>
      {error && <Problem error={error} what={text.machines.all} />}
      {!ready && !error && <Loading />}
      {ready && (
        <MachineTable
          machines={items}
          empty={<Notice title={text.machines.empty} next={text.machines.next} />}
          actions={can('create', 'machines') && <LinkButton to="/machines/new">{text.addMachines.open}</LinkButton>}
        />
      )}
    </Page>
  );
}

interface TableProps {
  machines: Machine[];
  empty: ReactNode;
  actions?: ReactNode;
}

export function MachineTable({ machines, empty, actions }: TableProps): ReactNode {
  const text = useText();
  return (
    <Table
      label={text.machines.title}
      rows={machines}
      columns={columns(text)}
      rowKey={keyOf}
      empty={empty}
      exportName="machines"
      actions={actions}
    />
  );
}

/** A Machine's state in one word, from its conditions. */
export function machineState(machine: Machine): string {
  const ready = machine.status?.conditions?.find(({ type }) => type === 'Ready');
  if (!ready) return 'Pending';
  return ready.status === 'True' ? 'Ready' : ready.status === 'False' ? 'NotReady' : 'Unknown';
}

function columns(text: Text): Column<Machine>[] {
  const { columns: title } = text;
  return [
    { key: 'name', title: title.name, value: nameOf, cell: (row) => <ObjectLink kind="machines" object={row} /> },
    { key: 'state', title: title.state, value: machineState, cell: (row) => <Status state={machineState(row)} /> },
    { key: 'address', title: title.address, value: (row) => row.spec?.address ?? '' },
    {
      key: 'cluster',
      title: title.cluster,
      value: (row) => row.spec?.clusterRef?.name ?? text.machines.unassigned,
      cell: (row) => <ClusterOf machine={row} free={text.machines.unassigned} />,
    },
    { key: 'role', title: title.role, value: (row) => text.roles[row.spec?.role ?? ''] ?? '' },
    { key: 'os', title: title.os, value: (row) => row.status?.facts?.os?.prettyName ?? '', wide: true },
    { key: 'kernel', title: title.kernel, value: (row) => row.status?.facts?.kernel?.release ?? '', wide: true },
    { key: 'cpus', title: title.cpus, value: (row) => row.status?.facts?.cpus ?? 0, wide: true },
    {
      key: 'memory',
      title: title.memory,
      value: (row) => row.status?.facts?.memory ?? 0,
      cell: (row) => gib(row.status?.facts?.memory),
      wide: true,
    },
    { key: 'namespace', title: title.namespace, value: namespaceOf, wide: true },
  ];
}

function ClusterOf({ machine, free }: { machine: Machine; free: string }): ReactNode {
  const name = machine.spec?.clusterRef?.name;
  return name ? <Link to={linkTo('clusters', namespaceOf(machine), name)}>{name}</Link> : free;
}

export function gib(bytes: number | undefined): string {
  return bytes ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : '';
}
