// What is often done to a workload: another number of replicas, and its pods started anew one after another.

import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { merge } from '../api/ask';
import type { Obj } from '../api/resources';
import { Button } from '../parts/Button';
import { Confirm } from '../parts/Confirm';
import { TextField } from '../parts/Form';
import { useText } from '../text';

const SCALED = ['deployments', 'statefulsets', 'replicasets'];
const RESTARTED = ['deployments', 'statefulsets', 'daemonsets'];

interface Props {
  kind: { group: string; plural: string };
  path: string;
  object: Obj & { spec?: { replicas?: number } };
}

export function WorkloadActions({ kind, path, object }: Props): ReactNode {
  const text = useText();
  const client = useQueryClient();
  const [asking, setAsking] = useState<'scale' | 'restart' | null>(null);
  const [replicas, setReplicas] = useState(String(object.spec?.replicas ?? 1));
  const name = object.metadata?.name ?? '';
  const change = (body: object) => async (): Promise<void> => {
    await merge(path, body);
    await client.invalidateQueries({ queryKey: ['object', path] });
  };
  const close = (): void => {
    setAsking(null);
  };
  if (kind.group !== 'apps') return null;
  const words = text.workload;
  return (
    <>
      {SCALED.includes(kind.plural) && (
        <Button
          variant="outline"
          onClick={() => {
            setAsking('scale');
          }}
        >
          {words.scale}
        </Button>
      )}
      {RESTARTED.includes(kind.plural) && (
        <Button
          variant="outline"
          onClick={() => {
            setAsking('restart');
          }}
        >
          {words.restart}
        </Button>
      )}
      {asking === 'scale' && (
        <Confirm
          title={words.scaleTitle(name)}
          action={words.scaleAction}
          perform={change({ spec: { replicas: Number(replicas) } })}
          close={close}
        >
          <TextField label={words.replicas} type="number" value={replicas} change={setReplicas} required />
        </Confirm>
      )}
      {asking === 'restart' && (
        <Confirm title={words.restartTitle(name)} action={words.restartAction} perform={change(anew())} close={close}>
          <p>{words.restartText}</p>
        </Confirm>
      )}
    </>
  );
}

/** What kubectl rollout restart writes: other pods are wanted, so the present ones are replaced. */
function anew(): object {
  const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() };
  return { spec: { template: { metadata: { annotations } } } };
}
