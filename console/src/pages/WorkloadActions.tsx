// What is often done to a workload: another number of replicas, other images, and its pods started anew one after another.

import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { merge } from '../api/ask';
import { json } from '../api/http';
import type { Workload } from '../api/rollouts';
import { Confirm } from '../parts/Confirm';
import { TextField } from '../parts/Form';
import { Verbs } from '../parts/Verbs';
import { useText } from '../text';

const SCALED = ['deployments', 'statefulsets', 'replicasets'];
const RESTARTED = ['deployments', 'statefulsets', 'daemonsets'];

type Verb = 'scale' | 'image' | 'restart';

interface Props {
  kind: { group: string; plural: string };
  path: string;
  object: Workload;
}

export function WorkloadActions({ kind, path, object }: Props): ReactNode {
  const text = useText();
  const client = useQueryClient();
  const [replicas, setReplicas] = useState(String(object.spec?.replicas ?? 1));
  const name = object.metadata?.name ?? '';
  const change = (body: object) => async (): Promise<void> => {
    await merge(path, body);
    await client.invalidateQueries({ queryKey: ['object', path] });
  };
  if (kind.group !== 'apps') return null;
  const words = text.workload;
  const verbs: Verb[] = [
    ...(SCALED.includes(kind.plural) ? ['scale' as const] : []),
    ...(RESTARTED.includes(kind.plural) ? (['image', 'restart'] as const) : []),
  ];
  return (
    <Verbs verbs={verbs} label={(verb) => words[verb]}>
      {(verb, close) =>
        ({
          image: <Images path={path} object={object} close={close} />,
          scale: (
            <Confirm
              title={words.scaleTitle(name)}
              action={words.scaleAction}
              perform={change({ spec: { replicas: Number(replicas) } })}
              close={close}
            >
              <TextField label={words.replicas} type="number" value={replicas} change={setReplicas} required />
            </Confirm>
          ),
          restart: (
            <Confirm
              title={words.restartTitle(name)}
              action={words.restartAction}
              perform={change(anew())}
              close={close}
            >
              <p>{words.restartText}</p>
            </Confirm>
          ),
        })[verb]
      }
    </Verbs>
  );
}

interface ImagesProps {
  path: string;
  object: Workload;
  close: () => void;
}

/** Other images for the containers of a workload; what is not changed is not sent. */
function Images({ path, object, close }: ImagesProps): ReactNode {
  const words = useText().workload;
  const client = useQueryClient();
  const containers = object.spec?.template?.spec?.containers ?? [];
  const [images, setImages] = useState<Record<string, string>>({});
  const changed = containers.filter(({ name, image }) => (images[name] ?? image) !== image);
  const perform = async (): Promise<void> => {
    const wanted = changed.map(({ name }) => ({ name, image: images[name]?.trim() }));
    if (wanted.length === 0) return;
    await json(path, {
      method: 'PATCH',
      contentType: 'application/strategic-merge-patch+json',
      body: { spec: { template: { spec: { containers: wanted } } } },
    });
    await client.invalidateQueries({ queryKey: ['object', path] });
  };
  return (
    <Confirm
      title={words.imageTitle(object.metadata?.name ?? '')}
      action={words.imageAction}
      perform={perform}
      close={close}
    >
      {containers.map(({ name, image = '' }) => (
        <TextField
          key={name}
          label={name}
          value={images[name] ?? image}
          change={(value) => {
            setImages({ ...images, [name]: value });
          }}
          required
        />
      ))}
      <p>{words.restartText}</p>
    </Confirm>
  );
}

/** What kubectl rollout restart writes: other pods are wanted, so the present ones are replaced. */
function anew(): object {
  const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() };
  return { spec: { template: { metadata: { annotations } } } };
}
