// One Operation: its plan to be read before it is approved, then each step as it goes, and what was logged.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useParams } from 'react-router';
import { Button } from '../parts/Button';
import { json } from '../api/http';
import type { Operation, PlannedStep } from '../api/kinds';
import { useOne } from '../api/live';
import { OPERATIONS, nameOf, namespaceOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { Confirm } from '../parts/Confirm';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { Lines, useLines } from '../parts/PodLog';
import { Status } from '../parts/Status';
import { useText } from '../text';

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
            <th scope="row">{step.title}</th>
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

function Decide({ operation }: { operation: Operation }): ReactNode {
  const text = useText();
  const [asking, setAsking] = useState<'approve' | 'cancel' | null>(null);
  const name = nameOf(operation);
  const can = useRights(namespaceOf(operation));
  const phase = operation.status?.phase;
  if (!can('patch', 'operations', name)) return null;
  const patch = (spec: object) => () =>
    json(objectPath(OPERATIONS, namespaceOf(operation), name), {
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      body: { spec },
    });
  const close = (): void => {
    setAsking(null);
  };
  const { approve, approveTitle, approveText, cancel, cancelTitle, cancelText } = text.operations;
  const open = !operation.status?.finishedAt && operation.spec.cancel !== 'Requested';
  return (
    <>
      {phase === 'AwaitingApproval' && open && (
        <Button
          theme="primary"
          onClick={() => {
            setAsking('approve');
          }}
        >
          {approve}
        </Button>
      )}
      {open && (
        <Button
          variant="outline"
          onClick={() => {
            setAsking('cancel');
          }}
        >
          {cancel}
        </Button>
      )}
      {asking === 'approve' && (
        <Confirm title={approveTitle(name)} action={approve} perform={patch({ approval: 'Approved' })} close={close}>
          <p>{approveText(operation.spec.plan.steps?.length ?? 0, operation.spec.clusterRef.name)}</p>
        </Confirm>
      )}
      {asking === 'cancel' && (
        <Confirm
          title={cancelTitle(name)}
          action={text.dialog.confirm}
          danger
          perform={patch({ cancel: 'Requested' })}
          close={close}
        >
          <p>{cancelText}</p>
        </Confirm>
      )}
    </>
  );
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
