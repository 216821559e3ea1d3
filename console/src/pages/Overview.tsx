// One screen on the fleet: what runs, what needs somebody, how uniform it is and what it stands on.

import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { Link } from 'react-router';
import type { Cluster, Foundation, Operation, StackShare } from '../api/kinds';
import { useLive } from '../api/live';
import { nodesOf } from '../api/nodes';
import { CLUSTERS, FOUNDATIONS, MACHINES, OPERATIONS, keyOf, nameOf } from '../api/resources';
import { Meters } from '../parts/Meters';
import { Loading, Problem } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { ObjectLink } from '../parts/links';
import { useChoices, useText } from '../text';

const MOST_SHOWN = 10;

export function Overview(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const clusters = useLive(CLUSTERS, namespace);
  const machines = useLive(MACHINES, namespace);
  const operations = useLive(OPERATIONS, namespace);
  const foundations = useLive(FOUNDATIONS, namespace);
  const all = [clusters, machines, operations, foundations];
  const error = all.find((each) => each.error)?.error;
  if (!all.every(({ ready }) => ready)) {
    return (
      <Page title={text.overview.title}>
        {error ? <Problem error={error} what={text.clusters.all} /> : <Loading />}
      </Page>
    );
  }
  const nodes = sum(clusters.items, (cluster) => nodesOf(cluster).length);
  const readyNodes = sum(clusters.items, (cluster) => cluster.status?.readyNodes ?? 0);
  const ready = clusters.items.filter((cluster) => cluster.status?.phase === 'Ready').length;
  return (
    <Page title={text.overview.title}>
      {error && <Problem error={error} what={text.clusters.all} />}
      <div className="cards">
        <Count
          to="/clusters"
          name={text.overview.clusters}
          count={clusters.items.length}
          note={text.overview.ready(ready)}
        />
        <Count to="/machines" name={text.overview.machines} count={machines.items.length} />
        <Count to="/clusters" name={text.overview.nodes} count={nodes} note={text.overview.ready(readyNodes)} />
      </div>
      <div className="columns">
        <Running operations={operations.items} />
        <Attention clusters={clusters.items} />
      </div>
      <div className="columns">
        {foundations.items.map((foundation) => (
          <Uniformity key={keyOf(foundation)} foundation={foundation} />
        ))}
        <Stacks clusters={clusters.items} />
      </div>
    </Page>
  );
}

function sum<T>(items: T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function Count({ to, name, count, note }: { to: string; name: string; count: number; note?: string }): ReactNode {
  return (
    <Link className="card" to={to}>
      <span className="card-name">{name}</span>
      <span className="card-count">{count}</span>
      {note !== undefined && <span className="card-note">{note}</span>}
    </Link>
  );
}

function Running({ operations }: { operations: Operation[] }): ReactNode {
  const text = useText();
  const open = operations.filter(({ status }) => !status?.finishedAt).slice(0, MOST_SHOWN);
  return (
    <Panel title={text.overview.running}>
      {open.length === 0 && <p>{text.overview.nothingRuns}</p>}
      <ul className="lines">
        {open.map((operation) => (
          <li key={keyOf(operation)}>
            <ObjectLink kind="operations" object={operation} />
            <Status state={operation.status?.phase ?? 'Pending'} />
            <span>{operation.status?.progress}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Attention({ clusters }: { clusters: Cluster[] }): ReactNode {
  const text = useText();
  const troubled = clusters.filter((cluster) => trouble(cluster) !== '').slice(0, MOST_SHOWN);
  return (
    <Panel title={text.overview.attention}>
      {troubled.length === 0 && <p>{text.overview.allWell}</p>}
      <ul className="lines">
        {troubled.map((cluster) => (
          <li key={keyOf(cluster)}>
            <ObjectLink kind="clusters" object={cluster} />
            <Status state={cluster.status?.phase ?? 'Pending'} />
            <span className="line-text">{trouble(cluster)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** What a cluster needs somebody for: it is not ready and nothing is under way, or a grave risk; "" when nothing. */
function trouble(cluster: Cluster): string {
  const { phase, conditions = [], assessment } = cluster.status ?? {};
  const grave = assessment?.findings?.find(({ severity }) => severity === 'High')?.message ?? '';
  if (phase === 'Ready' || phase === 'Creating' || phase === 'Changing' || phase === 'Deleting') return grave;
  const bad = conditions.find(({ type, status }) => type === 'Ready' && status !== 'True');
  return bad?.message || grave;
}

function Uniformity({ foundation }: { foundation: Foundation }): ReactNode {
  const text = useText();
  return (
    <Panel title={`${text.overview.uniformity}: ${text.overview.uniformityOf(nameOf(foundation))}`}>
      <Meters of={foundation.status?.uniformity?.dimensions ?? []} />
    </Panel>
  );
}

function Stacks({ clusters }: { clusters: Cluster[] }): ReactNode {
  const text = useText();
  const stacks = useMemo(() => counted(clusters), [clusters]);
  return (
    <Panel title={text.overview.stacks}>
      <table className="table plain">
        <thead>
          <tr>
            <th scope="col">{text.overview.stack}</th>
            <th scope="col">{text.columns.nodes}</th>
          </tr>
        </thead>
        <tbody>
          {stacks.slice(0, MOST_SHOWN).map(([stack, nodes]) => (
            <tr key={stack}>
              <td>{stack}</td>
              <td>{nodes}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

/** The distinct stacks of all clusters with their nodes, largest first. */
function counted(clusters: Cluster[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const stack of clusters.flatMap((cluster) => cluster.status?.assessment?.stacks ?? [])) {
    counts.set(named(stack), (counts.get(named(stack)) ?? 0) + (stack.nodes ?? 0));
  }
  return [...counts].sort(([, one], [, other]) => other - one);
}

function named(stack: StackShare): string {
  const { operatingSystem, kernel, distribution, version, runtime } = stack;
  return [operatingSystem, kernel, distribution, version, runtime].filter(Boolean).join(' · ');
}
