// One Operation: its plan to be read before it is approved, then each step as it goes, and what was logged.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useParams } from 'react-router';
import { ask, merge } from '../api/ask';
import type { Operation, PlannedStep } from '../api/kinds';
import { useOne } from '../api/live';
import { CLUSTERS, OPERATIONS, nameOf, namespaceOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { Confirm } from '../parts/Confirm';
import { Named } from '../parts/Named';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { Lines, useLines } from '../parts/PodLog';
import { Status } from '../parts/Status';
import { Verbs } from '../parts/Verbs';
import { useText } from '../text';
import { Events } from './Events';

export function OperationPage(): ReactNode {
  const text = useText();
  const { namespace = '', name = '' } = useParams();
  const { item, ready, error } = useOne(OPERATIONS, namespace, name);
  if (!item) {
    if (error) return <Problem error={error} what={text.operations.all} />;
    return ready ? <Notice title={text.operations.gone} /> : <Loading />;
  }
  const plan = item.spec.plan;
  return (
    <Page
      title={name}
      above={{ to: '/operations', title: text.operations.title }}
      beside={
        <>
          <Status state={item.status?.phase ?? 'Pending'} />
          <span role="status">{item.status?.progress}</span>
        </>
      }
      actions={<Decide operation={item} />}
    >
      {error && <Problem error={error} what={text.operations.all} />}
      <Panel title={text.operations.summary}>
        <p>{plan.summary}</p>
        {(plan.notes ?? []).length > 0 && <h3>{text.operations.notes}</h3>}
        <ul className="bullets">
          {(plan.notes ?? []).map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
        {plan.next && (
          <p>
            {text.operations.later}: {plan.next}
          </p>
        )}
      </Panel>
      <Panel title={text.operations.steps}>
        <Steps operation={item} />
      </Panel>
      <Panel title={text.events.title}>
        <Events base="" kind="Operation" namespace={namespace} name={name} />
      </Panel>
      <Panel title={text.operations.log}>
        <Log key={item.metadata?.uid} operation={item} />
      </Panel>
    </Page>
  );
}

function Steps({ operation }: { operation: Operation }): ReactNode {
  const text = useText();
  const states = new Map((operation.status?.steps ?? []).map((step) => [step.name, step]));
  return (
    <table className="table plain">
      <thead>
        <tr>
          <th scope="col">{text.columns.state}</th>
          <th scope="col">{text.operations.step}</th>
          <th scope="col">{text.operations.machine}</th>
          <th scope="col">{text.operations.changes}</th>
        </tr>
      </thead>
      <tbody>
        {(operation.spec.plan.steps ?? []).map((step) => (
          <tr key={step.name}>
            <td>
              <Status state={states.get(step.name)?.state ?? 'Pending'} />
            </td>
            <th scope="row">
              <Named own={text.names?.steps[step.step]} server={step.title} />
            </th>
            <td>{step.machine || text.operations.wholeCluster}</td>
            <td>
              <Changes step={step} message={states.get(step.name)?.message ?? ''} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Changes({ step, message }: { step: PlannedStep; message: string }): ReactNode {
  return (
    <>
      {message && <p className="step-message">{message}</p>}
      <ul className="changes">
        {(step.changes ?? []).map(({ what, before, after }) => (
          <li key={what}>
            {what}
            {(before || after) && ': '}
            {before && <del>{before}</del>} {before && after && '→ '}
            {after && <ins>{after}</ins>}
          </li>
        ))}
      </ul>
    </>
  );
}

type Decision = 'approve' | 'cancel' | 'rollback' | 'retry';

/** What can be decided about an Operation as it is. */
function decisions(operation: Operation): Decision[] {
  const { status, spec } = operation;
  if (status?.finishedAt) {
    if (status.phase === 'Failed') return ['retry'];
    return status.phase === 'Succeeded' && spec.plan.action === 'Change' ? ['rollback'] : [];
  }
  if (spec.cancel === 'Requested') return [];
  return status?.phase === 'AwaitingApproval' ? ['approve', 'cancel'] : ['cancel'];
}

function Decide({ operation }: { operation: Operation }): ReactNode {
  const text = useText();
  const [asked, setAsked] = useState(false);
  const can = useRights(namespaceOf(operation));
  const cluster = operation.spec.clusterRef.name;
  const may = (decision: Decision): boolean =>
    decision === 'retry' ? can('patch', 'clusters', cluster) : can('patch', 'operations', nameOf(operation));
  const words = text.operations.decisions;
  return (
    <>
      {asked && <span role="status">{text.operations.asked}</span>}
      <Verbs verbs={decisions(operation).filter(may)} label={(verb) => words[verb].button} primary={['approve']}>
        {(decision, close) => (
          <Confirm
            title={words[decision].title(nameOf(operation))}
            action={words[decision].action}
            danger={decision === 'cancel' || decision === 'rollback'}
            perform={async () => {
              await decide(operation, decision);
              setAsked(decision === 'rollback' || decision === 'retry');
            }}
            close={close}
          >
            <p>{words[decision].text(operation.spec.plan.steps?.length ?? 0, cluster)}</p>
          </Confirm>
        )}
      </Verbs>
    </>
  );
}

async function decide(operation: Operation, decision: Decision): Promise<void> {
  const namespace = namespaceOf(operation);
  const path = objectPath(OPERATIONS, namespace, nameOf(operation));
  if (decision === 'approve') await merge(path, { spec: { approval: 'Approved' } });
  if (decision === 'cancel') await merge(path, { spec: { cancel: 'Requested' } });
  if (decision === 'rollback') await ask(path, 'rollback', 'all');
  if (decision === 'retry') await ask(objectPath(CLUSTERS, namespace, operation.spec.clusterRef.name), 'retry');
}

interface LogLine {
  time?: string;
  step?: string;
  line?: string;
}

function Log({ operation }: { operation: Operation }): ReactNode {
  const text = useText();
  const path = `${objectPath(OPERATIONS, namespaceOf(operation), nameOf(operation))}/log?follow=true`;
  const shown = useLines(path, (line) => {
    const { time = '', step = '', line: said } = JSON.parse(line) as LogLine;
    return said === undefined ? null : `${time} ${step} ${said}`;
  });
  return <Lines shown={shown} label={text.operations.log} empty={text.operations.emptyLog} />;
}
