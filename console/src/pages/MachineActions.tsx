// What can be asked of a machine: to be looked at now, to be left out of changes, newer packages, and to be given back.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { ask, merge } from '../api/ask';
import { json } from '../api/http';
import type { Machine } from '../api/kinds';
import { MACHINES, nameOf, namespaceOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { Confirm } from '../parts/Confirm';
import { Verbs } from '../parts/Verbs';
import { useText } from '../text';

const HOLD_BACK = 'groundplane.dev/hold-back';
const VERBS = ['survey', 'holdBack', 'letGo', 'updatePackages', 'remove'] as const;

type Verb = (typeof VERBS)[number];

export function heldBack(machine: Machine): boolean {
  return machine.metadata?.annotations?.[HOLD_BACK] === 'true';
}

export function MachineActions({ machine }: { machine: Machine }): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<Verb | null>(null);
  const name = nameOf(machine);
  const cluster = machine.spec?.clusterRef?.name ?? '';
  const can = useRights(namespaceOf(machine));
  const path = objectPath(MACHINES, namespaceOf(machine), name);
  const words = text.machineActions;
  if (machine.metadata?.deletionTimestamp) return <span>{text.cluster.deleting}</span>;
  const verbs = VERBS.filter((verb) => offered(verb, machine, (right) => can(right, 'machines', name)));
  const perform = async (verb: Verb): Promise<void> => {
    if (verb === 'survey') await ask(path, 'survey');
    if (verb === 'updatePackages') await ask(path, 'update-packages');
    if (verb === 'holdBack' || verb === 'letGo') {
      await merge(path, { metadata: { annotations: { [HOLD_BACK]: verb === 'holdBack' ? 'true' : null } } });
    }
    if (verb === 'remove') await json(path, { method: 'DELETE' });
    setAsked(verb);
    if (verb === 'remove' && !cluster) await navigate('/machines');
  };
  return (
    <>
      {asked && <span role="status">{words[asked].done}</span>}
      <Verbs verbs={verbs} label={(verb) => words[verb].button} danger={['remove']}>
        {(verb, close) => (
          <Confirm
            title={words[verb].title(name)}
            action={words[verb].action}
            danger={verb === 'remove'}
            typed={verb === 'remove' ? name : ''}
            perform={() => perform(verb)}
            close={close}
          >
            <p>{words[verb].text(cluster)}</p>
          </Confirm>
        )}
      </Verbs>
    </>
  );
}

function offered(verb: Verb, machine: Machine, can: (right: string) => boolean): boolean {
  if (verb === 'remove') return can('delete');
  if (!can('patch')) return false;
  const member = machine.spec?.clusterRef !== undefined;
  if (verb === 'holdBack') return member && !heldBack(machine);
  if (verb === 'letGo') return heldBack(machine);
  return verb === 'survey' || member;
}
