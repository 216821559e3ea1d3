// What is known of a cluster, as lists: its nodes, where it differs, what is a risk.

import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Cluster, Drift, Finding } from '../api/kinds';
import type { SeenNode } from '../api/nodes';
import { nodesOf } from '../api/nodes';
import { nameOf, namespaceOf } from '../api/resources';
import { Notice } from '../parts/Notice';
import { stateColumn } from '../parts/Status';
import { Table } from '../parts/Table';
import { linkTo } from '../parts/links';
import { useText } from '../text';

export function NodeTable({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const nodes = nodesOf(cluster);
  const address = ({ name }: SeenNode): string =>
    `${linkTo('clusters', namespaceOf(cluster), nameOf(cluster))}/nodes/${encodeURIComponent(name)}`;
  const title = text.columns;
  return (
    <Table
      label={text.cluster.nodes}
      rows={nodes}
      rowKey={({ name }) => name}
      empty={<Notice title={text.cluster.noNodes} />}
      exportName="nodes"
      columns={[
        {
          key: 'name',
          title: title.name,
          value: (node) => node.name,
          cell: (node) => <Link to={address(node)}>{node.name}</Link>,
        },
        stateColumn('state', title.state, ({ state }: SeenNode) => state, text),
        { key: 'version', title: title.version, value: (node) => node.version },
        { key: 'runtime', title: title.runtime, value: (node) => node.runtime },
        { key: 'kernel', title: title.kernel, value: (node) => node.kernel, wide: true },
        { key: 'os', title: title.os, value: (node) => node.os, wide: true },
      ]}
    />
  );
}

/** What a change form is asked for that mends a difference; null when none does. */
function mending({ remedy, wanted = '' }: Drift): string | null {
  if (remedy?.action === 'MigrateRuntime') return `?runtime=${encodeURIComponent(wanted.split(' ')[0] ?? '')}`;
  if (remedy?.action === 'UpgradeKubernetes') return `?version=${encodeURIComponent(wanted)}`;
  return remedy?.action === 'ConvertDistribution' ? '' : null;
}

interface DriftProps {
  drift: Drift[];
  /** Address of the form that changes the cluster; "" where it cannot be changed. */
  change?: string;
}

export function DriftTable({ drift, change = '' }: DriftProps): ReactNode {
  const text = useText();
  const words = text.cluster;
  return (
    <Table
      label={words.drift}
      rows={drift}
      rowKey={(row) => `${row.dimension}/${row.subject ?? ''}/${row.found ?? ''}`}
      empty={<Notice title={words.noDrift} />}
      exportName="drift"
      columns={[
        { key: 'dimension', title: words.dimension, value: (row) => text.dimensions[row.dimension] ?? row.dimension },
        { key: 'found', title: words.found, value: (row) => [row.subject, row.found].filter(Boolean).join(': ') },
        { key: 'wanted', title: words.wanted, value: (row) => row.wanted ?? '' },
        stateColumn('severity', words.severity, ({ severity = 'Low' }: Drift) => severity, text),
        { key: 'on', title: words.on, value: (row) => (row.nodes?.names ?? []).join(', '), wide: true },
        { key: 'cost', title: words.cost, value: (row) => row.cost ?? '', wide: true },
        {
          key: 'remedy',
          title: words.remedy,
          value: (row) => row.remedy?.text ?? '',
          cell: (row) => (
            <>
              {row.remedy?.text}{' '}
              {change && mending(row) !== null && <Link to={`${change}${mending(row) ?? ''}`}>{words.act}</Link>}
            </>
          ),
          wide: true,
        },
      ]}
    />
  );
}

export function FindingTable({ findings }: { findings: Finding[] }): ReactNode {
  const text = useText();
  const words = text.cluster;
  return (
    <Table
      label={words.findings}
      rows={findings}
      rowKey={(row) => `${row.type}/${row.subject}`}
      empty={<Notice title={words.noFindings} />}
      exportName="findings"
      columns={[
        { key: 'message', title: words.risk, value: (row) => row.message },
        stateColumn('severity', words.severity, ({ severity = 'Low' }: Finding) => severity, text),
        { key: 'on', title: words.on, value: (row) => (row.nodes?.names ?? []).join(', '), wide: true },
        { key: 'remedy', title: words.remedy, value: (row) => row.remedy?.text ?? '', wide: true },
      ]}
    />
  );
}
