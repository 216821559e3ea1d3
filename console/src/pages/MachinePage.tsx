// One machine: what was found on it, and what is judged of it.

import type { ReactNode } from 'react';
import { useParams } from 'react-router';
import type { Machine } from '../api/kinds';
import { useOne } from '../api/live';
import { MACHINES, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { Conditions } from '../parts/Conditions';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Facts, Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { Age } from '../parts/Time';
import { Yaml } from '../parts/Yaml';
import { useText } from '../text';
import { gib, machineState } from './Machines';

export function MachinePage(): ReactNode {
  const text = useText();
  const { namespace = '', name = '' } = useParams();
  const { item, ready, error } = useOne(MACHINES, namespace, name);
  const can = useRights(namespace);
  if (!item) {
    if (error) return <Problem error={error} what={text.machines.all} />;
    return ready ? <Notice title={text.machines.gone} /> : <Loading />;
  }
  return (
    <Page
      title={name}
      above={{ to: '/machines', title: text.machines.title }}
      beside={<Status state={machineState(item)} />}
    >
      <div className="columns">
        <Panel title={text.machines.facts}>
          <Found machine={item} />
        </Panel>
        <Panel title={text.cluster.conditions}>
          <Conditions of={item.status?.conditions} />
        </Panel>
      </div>
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
  return (
    <Facts
      of={[
        [columns.address, machine.spec?.address],
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
