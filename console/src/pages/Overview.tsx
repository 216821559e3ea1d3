// One screen on the fleet: what runs, what needs somebody, how uniform it is and what it stands on. It is made of what the
// lists show and of the sums that Foundations keep, for a fleet's own objects are too many to be read for a few numbers.

import type { ReactNode } from 'react';
import { useMemo } from 'react';
import { Link } from 'react-router';
import type { Foundation, StackShare } from '../api/kinds';
import type { Cell } from '../api/live';
import { useLive, useRows } from '../api/live';
import { CLUSTERS, FOUNDATIONS, MACHINES, OPERATIONS, keyOf, nameOf } from '../api/resources';
import type { TableRow } from '../api/watch';
import { Meters } from '../parts/Meters';
import { Loading, Problem } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { ObjectLink } from '../parts/links';
import { useChoices, useText } from '../text';

const MOST_SHOWN = 10;
const FINE = ['Ready', 'Creating', 'Changing', 'Deleting'];

export function Overview(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const clusters = useRows(CLUSTERS, namespace);
  const machines = useRows(MACHINES, namespace);
  const operations = useRows(OPERATIONS, namespace);
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
  const { items, cell } = clusters;
  const nodes = sum(items, (cluster) => Number(cell(cluster, 'Nodes')));
  const readyNodes = sum(items, (cluster) => Number(cell(cluster, 'Nodes Ready')));
  const ready = items.filter((cluster) => cell(cluster, 'Phase') === 'Ready').length;
  const apart = items.filter((cluster) => !cell(cluster, 'Foundation')).length;
  return (
    <Page title={text.overview.title}>
      {error && <Problem error={error} what={text.clusters.all} />}
      <div className="cards">
        <Count to="/clusters" name={text.overview.clusters} count={items.length} note={text.overview.ready(ready)} />
        <Count to="/machines" name={text.overview.machines} count={machines.items.length} />
        <Count to="/clusters" name={text.overview.nodes} count={nodes} note={text.overview.ready(readyNodes)} />
      </div>
      <div className="columns">
        <Running operations={operations.items} cell={operations.cell} />
        <Attention clusters={items} cell={cell} />
      </div>
      <div className="columns">
        {foundations.items.map((foundation) => (
          <Uniformity key={keyOf(foundation)} foundation={foundation} />
        ))}
        <Stacks foundations={foundations.items} apart={apart} />
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

function Running({ operations, cell }: { operations: TableRow[]; cell: Cell }): ReactNode {
  const text = useText();
  const open = operations.filter((operation) => !cell(operation, 'Finished')).slice(0, MOST_SHOWN);
  return (
    <Panel title={text.overview.running}>
      {open.length === 0 && <p>{text.overview.nothingRuns}</p>}
      <ul className="lines">
        {open.map((operation) => (
          <li key={keyOf(operation)}>
            <ObjectLink kind="operations" object={operation} />
            <Status state={cell(operation, 'Phase') || 'Pending'} />
            <span>{cell(operation, 'Progress')}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Attention({ clusters, cell }: { clusters: TableRow[]; cell: Cell }): ReactNode {
  const text = useText();
  const troubled = clusters.filter((cluster) => trouble(cluster, cell) !== '').slice(0, MOST_SHOWN);
  return (
    <Panel title={text.overview.attention}>
      {troubled.length === 0 && <p>{text.overview.allWell}</p>}
      <ul className="lines">
        {troubled.map((cluster) => (
          <li key={keyOf(cluster)}>
            <ObjectLink kind="clusters" object={cluster} />
            <Status state={cell(cluster, 'Phase') || 'Pending'} />
            <span className="line-text">{trouble(cluster, cell)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** What a cluster needs somebody for: it is not ready and nothing is under way, or a grave risk; "" when nothing. */
function trouble(cluster: TableRow, cell: Cell): string {
  const grave = cell(cluster, 'Findings').includes(' high') ? cell(cluster, 'Gravest') : '';
  if (FINE.includes(cell(cluster, 'Phase')) || cell(cluster, 'Ready') === 'True') return grave;
  return cell(cluster, 'Message') || grave;
}

function Uniformity({ foundation }: { foundation: Foundation }): ReactNode {
  const text = useText();
  return (
    <Panel title={`${text.overview.uniformity}: ${text.overview.uniformityOf(nameOf(foundation))}`}>
      <Meters of={foundation.status?.uniformity?.dimensions ?? []} />
    </Panel>
  );
}

/** `apart` clusters have no Foundation that counts them. */
function Stacks({ foundations, apart }: { foundations: Foundation[]; apart: number }): ReactNode {
  const text = useText();
  const stacks = useMemo(() => counted(foundations), [foundations]);
  return (
    <Panel title={text.overview.stacks}>
      {apart > 0 && <p>{text.fleet.apart(apart)}</p>}
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

/** The distinct stacks of all Foundations' clusters with their nodes, largest first. */
function counted(foundations: Foundation[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const stack of foundations.flatMap(({ status }) => status?.stacks ?? [])) {
    counts.set(named(stack), (counts.get(named(stack)) ?? 0) + (stack.nodes ?? 0));
  }
  return [...counts].sort(([, one], [, other]) => other - one);
}

function named(stack: StackShare): string {
  const { operatingSystem, kernel, distribution, version, runtime } = stack;
  return [operatingSystem, kernel, distribution, version, runtime].filter(Boolean).join(' · ');
}
