// One machine: what was found on it, what is judged of it, what it is to be, and what happened to it.

import type { ReactNode } from 'react';
import { Link, useParams } from 'react-router';
import type { Machine } from '../api/kinds';
import { useOne } from '../api/live';
import { MACHINES, namespaceOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { Conditions } from '../parts/Conditions';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Facts, Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { Age } from '../parts/Time';
import { Yaml } from '../parts/Yaml';
import { linkTo } from '../parts/links';
import { useText } from '../text';
import { Events } from './Events';
import { History } from './History';
import { MachineActions, heldBack } from './MachineActions';
import { MachineFields } from './MachineFields';
import { TerminalLink } from './MachineTerminal';
import { gib, machineState } from './Machines';
import { DriftTable, FindingTable } from './clusterTables';

export function MachinePage(): ReactNode {
  const text = useText();
  const { namespace = '', name = '' } = useParams();
  const { item, ready, error } = useOne(MACHINES, namespace, name);
  const can = useRights(namespace);
  if (!item) {
    if (error) return <Problem error={error} what={text.machines.all} />;
    return ready ? <Notice title={text.machines.gone} /> : <Loading />;
  }
  const { assessment, history = [], conditions } = item.status ?? {};
  return (
    <Page
      title={name}
      above={{ to: '/machines', title: text.machines.title }}
      beside={
        <>
          <Status state={machineState(item)} />
          {heldBack(item) && <Status state="Degraded" word={text.machineActions.held} />}
        </>
      }
      actions={
        <>
          <TerminalLink namespace={namespace} machine={name} />
          <MachineActions machine={item} />
        </>
      }
    >
      {error && <Problem error={error} what={text.machines.all} />}
      <div className="columns">
        <Panel title={text.machines.facts}>
          <Found machine={item} />
        </Panel>
        <Panel title={text.cluster.conditions}>
          <Conditions of={conditions} />
        </Panel>
      </div>
      {can('patch', 'machines', name) && <MachineFields machine={item} />}
      {(assessment?.drift ?? []).length > 0 && (
        <Panel title={text.cluster.drift}>
          <DriftTable drift={assessment?.drift ?? []} />
        </Panel>
      )}
      {(assessment?.findings ?? []).length > 0 && (
        <Panel title={text.cluster.findings}>
          <FindingTable findings={assessment?.findings ?? []} />
        </Panel>
      )}
      {history.length > 0 && <History of={history} />}
      <Panel title={text.events.title}>
        <Events base="" kind="Machine" namespace={namespace} name={name} />
      </Panel>
      <Panel title={text.cluster.yaml}>
        <Yaml path={objectPath(MACHINES, namespace, name)} mayEdit={can('update', 'machines', name)} />
      </Panel>
    </Page>
  );
}

function Found({ machine }: { machine: Machine }): ReactNode {
  const text = useText();
  const facts = machine.status?.facts;
  if (!facts) return <p>{text.machines.noFacts}</p>;
  const { columns } = text;
  const runtimes = (facts.runtimes ?? []).map(({ name, version }) => `${name} ${version ?? ''}`);
  const cluster = machine.spec?.clusterRef?.name;
  return (
    <Facts
      of={[
        [columns.address, machine.spec?.address],
        [
          columns.cluster,
          cluster ? (
            <Link to={linkTo('clusters', namespaceOf(machine), cluster)}>{cluster}</Link>
          ) : (
            text.machines.unassigned
          ),
        ],
        [columns.role, text.roles[machine.spec?.role ?? ''] ?? text.state.none],
        [columns.os, facts.os?.prettyName],
        [columns.kernel, facts.kernel?.release],
        [columns.cpus, facts.cpus],
        [columns.memory, gib(facts.memory)],
        [columns.runtime, runtimes.join(', ')],
        [text.cluster.factsAt, <Age key="at" of={facts.observedAt} />],
      ]}
    />
  );
}
