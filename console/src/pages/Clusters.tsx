import type { ReactNode } from 'react';
import { useMemo } from 'react';
import type { Cell } from '../api/live';
import { useRows } from '../api/live';
import { CLUSTERS, keyOf, nameOf, namespaceOf } from '../api/resources';
import { useRights } from '../api/session';
import type { TableRow } from '../api/watch';
import { LinkButton } from '../parts/Button';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { stateColumn } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { Age } from '../parts/Time';
import { ObjectLink } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Clusters(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const { items, cell, ready, error } = useRows(CLUSTERS, namespace);
  const shown = useMemo(() => columns(text, cell), [text, cell]);
  const can = useRights(namespace || 'default');
  return (
    <Page title={text.clusters.title}>
      {error && <Problem error={error} what={text.clusters.all} />}
      {!ready && !error && <Loading />}
      {ready && (
        <Table
          label={text.clusters.title}
          rows={items}
          columns={shown}
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

function columns(text: Text, cell: Cell): Column<TableRow>[] {
  const { columns: title } = text;
  return [
    { key: 'name', title: title.name, value: nameOf, cell: (row) => <ObjectLink kind="clusters" object={row} /> },
    stateColumn('state', title.state, (row) => cell(row, 'Phase') || 'Pending', text),
    { key: 'version', title: title.version, value: (row) => cell(row, 'Version') },
    { key: 'runtime', title: title.runtime, value: (row) => cell(row, 'Runtime') },
    {
      key: 'nodes',
      title: title.nodes,
      value: (row) => Number(cell(row, 'Nodes')),
      cell: (row) => `${cell(row, 'Nodes Ready') || '0'}/${cell(row, 'Nodes') || '0'}`,
    },
    { key: 'drift', title: title.drift, value: (row) => drifting(cell(row, 'Drift'), text), wide: true },
    { key: 'risks', title: title.risks, value: (row) => risks(cell(row, 'Findings'), text), wide: true },
    { key: 'foundation', title: title.foundation, value: (row) => cell(row, 'Foundation'), wide: true },
    {
      key: 'provider',
      title: title.provider,
      value: (row) => (cell(row, 'Provider') === 'Imported' ? text.clusters.imported : text.clusters.made),
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

function drifting(dimensions: string, text: Text): string {
  const names = dimensions.split(',').filter(Boolean);
  return names.map((name) => text.dimensions[name] ?? name).join(', ');
}

/** "1 high, 2 low" in the reader's words. */
export function risks(counted: string, { fleet, severities }: Text): string {
  const said = (word: string): string => severities[word.charAt(0).toUpperCase() + word.slice(1)] ?? word;
  return counted.replace(/(\d+) (\w+)/g, (_, count: string, word: string) => fleet.risks(count, said(word)));
}
