// A terminal on a machine itself, over SSH, whatever is at work on it: it is for emergencies too.

import type { ReactNode } from 'react';
import { Suspense, lazy } from 'react';
import { useParams } from 'react-router';
import { useOne, useRows } from '../api/live';
import { CLUSTERS, MACHINES, OPERATIONS, keyOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { machineShell } from '../api/shells';
import { LinkButton } from '../parts/Button';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { ObjectLink, linkTo } from '../parts/links';
import { useText } from '../text';

const Terminal = lazy(async () => ({ default: (await import('../parts/Terminal')).Terminal }));

export function MachineTerminal(): ReactNode {
  const text = useText();
  const { namespace = '', name = '' } = useParams();
  const { item, ready, error } = useOne(MACHINES, namespace, name);
  if (!item) {
    if (error) return <Problem error={error} what={text.machines.all} />;
    return ready ? <Notice title={text.machines.gone} /> : <Loading />;
  }
  const cluster = item.spec?.clusterRef?.name;
  return (
    <Page title={text.machineTerminal.title(name)} above={{ to: linkTo('machines', namespace, name), title: name }}>
      {cluster && <AtWork namespace={namespace} cluster={cluster} />}
      <Suspense fallback={<Loading />}>
        <Terminal address={machineShell(objectPath(MACHINES, namespace, name))} />
      </Suspense>
    </Page>
  );
}

/** The Operations that are at work on the machine's cluster, for what they do may be disturbed. */
function AtWork({ namespace, cluster }: { namespace: string; cluster: string }): ReactNode {
  const words = useText().machineTerminal;
  const { items, cell } = useRows(OPERATIONS, namespace);
  const running = items.filter((one) => cell(one, 'Phase') === 'Running' && cell(one, 'Cluster') === cluster);
  if (running.length === 0) return null;
  return (
    <p className="banner" role="status">
      {words.atWork(cluster)}{' '}
      {running.map((operation) => (
        <ObjectLink key={keyOf(operation)} kind="operations" object={operation} />
      ))}
    </p>
  );
}

/** The way to a machine's terminal, for who may open one. */
export function TerminalLink({ namespace, machine }: { namespace: string; machine: string }): ReactNode {
  const text = useText();
  const can = useRights(namespace);
  if (!can('create', 'machines/exec', machine)) return null;
  return (
    <LinkButton to={`${linkTo('machines', namespace, machine)}/terminal`} beside>
      {text.terminal.title}
    </LinkButton>
  );
}

interface NodeProps {
  namespace: string;
  cluster: string;
  node: string;
}

/** The same on the page of a Node, when a Machine is known that it is. */
export function NodeTerminalLink({ namespace, cluster, node }: NodeProps): ReactNode {
  const members = useOne(CLUSTERS, namespace, cluster).item?.status?.nodes ?? [];
  const machine = members.find((member) => member.node === node)?.machine;
  return machine ? <TerminalLink namespace={namespace} machine={machine} /> : null;
}
