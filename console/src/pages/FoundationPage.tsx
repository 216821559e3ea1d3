// One Foundation: how uniform its clusters are, which of them differ and where, and what it says, to be changed.

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { useParams } from 'react-router';
import { json } from '../api/http';
import type { Cluster, FeatureDecision } from '../api/kinds';
import type { Cell as CellOf } from '../api/live';
import { useOne, useRows } from '../api/live';
import { CLUSTERS, FOUNDATIONS, keyOf, nameOf, namespaceOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import type { TableRow } from '../api/watch';
import { LinkButton } from '../parts/Button';
import { Conditions } from '../parts/Conditions';
import { Meters } from '../parts/Meters';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { Yaml } from '../parts/Yaml';
import { ObjectLink, linkTo } from '../parts/links';
import { useText } from '../text';
import type { Text } from '../text/en';
import { Events } from './Events';
import { UniformityOverTime } from './UniformityOverTime';
import { UnifyPanel } from './UnifyPanel';

const DIMENSIONS = ['OperatingSystem', 'Kernel', 'Settings', 'Distribution', 'Version', 'Runtime', 'Network'];

// What was read of a row that is not seen any more; milliseconds.
const KEPT = 10_000;

export function FoundationPage(): ReactNode {
  const text = useText();
  const { namespace = '', name = '' } = useParams();
  const { item, ready, error } = useOne(FOUNDATIONS, namespace, name);
  const can = useRights(namespace);
  if (!item) {
    if (error) return <Problem error={error} what={text.foundations.all} />;
    return ready ? <Notice title={text.foundations.gone} /> : <Loading />;
  }
  const path = objectPath(FOUNDATIONS, namespace, name);
  return (
    <Page
      title={name}
      above={{ to: '/foundations', title: text.foundations.title }}
      actions={
        can('patch', 'foundations', name) && (
          <LinkButton to={`${linkTo('foundations', namespace, name)}/edit`}>{text.foundationForm.editOpen}</LinkButton>
        )
      }
    >
      {error && <Problem error={error} what={text.foundations.all} />}
      <div className="columns">
        <Panel title={text.overview.uniformity}>
          <Meters of={item.status?.uniformity?.dimensions ?? []} />
        </Panel>
        <Panel title={text.cluster.conditions}>
          <Conditions of={item.status?.conditions} />
        </Panel>
      </div>
      <UniformityOverTime points={item.status?.history ?? []} />
      <Panel title={text.clusters.title}>
        <Matrix namespace={namespace} foundation={name} />
      </Panel>
      <Features of={item.status?.features ?? []} />
      <UnifyPanel foundation={item} />
      <Panel title={text.events.title}>
        <Events base="" kind="Foundation" namespace={namespace} name={name} />
      </Panel>
      <Panel title={text.cluster.yaml}>
        <Yaml path={path} mayEdit={can('update', 'foundations', name)} />
      </Panel>
    </Page>
  );
}

/** Each cluster by dimension: where it differs, and to what. */
function Matrix({ namespace, foundation }: { namespace: string; foundation: string }): ReactNode {
  const text = useText();
  const { items, cell } = useRows(CLUSTERS, namespace);
  const clusters = useMemo(
    () => items.filter((one) => cell(one, 'Foundation') === foundation),
    [items, cell, foundation],
  );
  const columns = useMemo(() => columnsOf(text, cell), [text, cell]);
  return (
    <Table
      label={text.clusters.title}
      rows={clusters}
      columns={columns}
      rowKey={keyOf}
      empty={<p>{text.foundations.noClusters}</p>}
      exportName={foundation}
    />
  );
}

/** Whether the wanted network features can be had, and which nodes are in the way. */
function Features({ of }: { of: FeatureDecision[] }): ReactNode {
  const text = useText();
  const words = text.foundationForm;
  if (of.length === 0) return null;
  return (
    <Panel title={words.featureState}>
      <table className="table plain">
        <thead>
          <tr>
            <th scope="col">{words.feature}</th>
            <th scope="col">{text.columns.state}</th>
            <th scope="col">{words.needs}</th>
            <th scope="col">{text.cluster.on}</th>
          </tr>
        </thead>
        <tbody>
          {of.map(({ feature, state = 'Unknown', needs, message, blockers }) => (
            <tr key={feature}>
              <th scope="row">{feature}</th>
              <td>
                <Status state={state} />
              </td>
              <td>{needs}</td>
              <td>
                {(blockers?.names ?? []).join(', ')}
                {message && <p className="step-message">{message}</p>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function columnsOf(text: Text, cell: CellOf): Column<TableRow>[] {
  const named: Column<TableRow> = {
    key: 'name',
    title: text.columns.name,
    value: nameOf,
    cell: (row) => <ObjectLink kind="clusters" object={row} />,
  };
  const dimensions = DIMENSIONS.map((dimension): Column<TableRow> => {
    const differs = (row: TableRow): boolean => cell(row, 'Drift').split(',').includes(dimension);
    return {
      key: dimension,
      title: text.dimensions[dimension] ?? dimension,
      value: (row) => (differs(row) ? text.fleet.differs : text.columns.uniform),
      cell: (row) => <Cell of={row} dimension={dimension} differs={differs(row)} />,
    };
  });
  return [named, ...dimensions];
}

/** What differs is in the object, which is read when its row is seen. */
function Cell({ of, dimension, differs }: { of: TableRow; dimension: string; differs: boolean }): ReactNode {
  const text = useText();
  const path = objectPath(CLUSTERS, namespaceOf(of), nameOf(of));
  const { data } = useQuery({
    queryKey: ['cluster', path, of.metadata?.resourceVersion],
    queryFn: ({ signal }) => json<Cluster>(path, { signal }),
    staleTime: Infinity,
    gcTime: KEPT,
    placeholderData: keepPreviousData,
  });
  if (!data) return differs ? <Status state="Medium" word={text.fleet.differs} /> : null;
  const assessment = data.status?.assessment;
  if (!assessment) return <Status state="Unknown" />;
  const drift = (assessment.drift ?? []).find((one) => one.dimension === dimension);
  if (!drift) return <Status state="Uniform" word={text.columns.uniform} />;
  return (
    <Status
      state={drift.severity ?? 'Low'}
      word={`${drift.found ?? ''} → ${drift.wanted ?? ''} (${drift.nodes?.count ?? 0})`}
    />
  );
}
