import type { ReactNode } from 'react';
import type { Cluster } from '../api/kinds';
import { useLive } from '../api/live';
import { nodesOf } from '../api/nodes';
import { CLUSTERS, keyOf, nameOf, namespaceOf } from '../api/resources';
import { useRights } from '../api/session';
import { LinkButton } from '../parts/Button';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { Status } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { Age } from '../parts/Time';
import { ObjectLink } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Clusters(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const { items, ready, error } = useLive(CLUSTERS, namespace);
  const can = useRights(namespace || 'default');
  return (
    <Page title={text.clusters.title}>
      {error && <Problem error={error} what={text.clusters.all} />}
      {!ready && !error && <Loading />}
      {ready && (
        <Table
          label={text.clusters.title}
          rows={items}
          columns={columns(text)}
          rowKey={keyOf}
          empty={<Notice title={text.clusters.empty} next={text.clusters.next} />}
          exportName="clusters"
          actions={can('create', 'clusters') && <Ways />}
        />
      )}
    </Page>
  );
}

function Ways(): ReactNode {
  const text = useText();
  return (
    <>
      <LinkButton to="/clusters/new">{text.createCluster.open}</LinkButton>
      <LinkButton to="/clusters/import">{text.importCluster.open}</LinkButton>
    </>
  );
}

function columns(text: Text): Column<Cluster>[] {
  const { columns: title } = text;
  return [
    { key: 'name', title: title.name, value: nameOf, cell: (row) => <ObjectLink kind="clusters" object={row} /> },
    {
      key: 'state',
      title: title.state,
      value: (row) => row.status?.phase ?? 'Pending',
      cell: (row) => <Status state={row.status?.phase ?? 'Pending'} />,
    },
    { key: 'version', title: title.version, value: (row) => row.status?.version ?? '' },
    { key: 'runtime', title: title.runtime, value: (row) => row.status?.runtime ?? '' },
    {
      key: 'nodes',
      title: title.nodes,
      value: (row) => nodesOf(row).length,
      cell: (row) => `${row.status?.readyNodes ?? 0}/${nodesOf(row).length}`,
    },
    { key: 'drift', title: title.drift, value: (row) => drifting(row, text), wide: true },
    { key: 'risks', title: title.risks, value: (row) => row.status?.assessment?.risks ?? '', wide: true },
    { key: 'foundation', title: title.foundation, value: (row) => row.spec?.foundationRef?.name ?? '', wide: true },
    {
      key: 'provider',
      title: title.provider,
      value: (row) => (row.spec?.provider === 'Imported' ? text.clusters.imported : text.clusters.made),
      wide: true,
    },
    { key: 'namespace', title: title.namespace, value: namespaceOf, wide: true },
    {
      key: 'age',
      title: title.age,
      value: (row) => row.metadata?.creationTimestamp ?? '',
      cell: (row) => <Age of={row.metadata?.creationTimestamp} />,
      wide: true,
    },
  ];
}

function drifting(cluster: Cluster, text: Text): string {
  const names = (cluster.status?.assessment?.drifting ?? '').split(',').filter(Boolean);
  return names.map((name) => text.dimensions[name] ?? name).join(', ');
}
