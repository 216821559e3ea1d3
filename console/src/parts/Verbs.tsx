// What can be done with something: a button for each verb, which opens the question that comes first.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { json } from '../api/http';
import { useText } from '../text';
import { Button } from './Button';
import { Confirm } from './Confirm';

interface Props<V extends string> {
  verbs: readonly V[];
  label: (verb: V) => string;
  /** Verbs whose buttons are not like the others. */
  primary?: readonly V[];
  danger?: readonly V[];
  /** The question, which is there until it is closed. */
  children: (verb: V, close: () => void) => ReactNode;
}

export function Verbs<V extends string>({ verbs, label, primary = [], danger = [], children }: Props<V>): ReactNode {
  const [asking, setAsking] = useState<V | null>(null);
  return (
    <>
      {verbs.map((verb) => (
        <Button
          key={verb}
          theme={primary.includes(verb) ? 'primary' : danger.includes(verb) ? 'danger' : 'default'}
          variant={primary.includes(verb) ? 'base' : 'outline'}
          onClick={() => {
            setAsking(verb);
          }}
        >
          {label(verb)}
        </Button>
      ))}
      {asking !== null &&
        children(asking, () => {
          setAsking(null);
        })}
    </>
  );
}

interface DeleteProps {
  path: string;
  name: string;
  /** Whether the name has to be typed. */
  typed?: boolean;
  /** Where to go when it is gone. */
  to: string;
  /** What that means. */
  children: ReactNode;
}

export function Delete({ path, name, typed = false, to, children }: DeleteProps): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  return (
    <Verbs verbs={['delete']} label={() => text.cluster.delete} danger={['delete']}>
      {(_, close) => (
        <Confirm
          title={`${text.cluster.delete} ${name}`}
          typed={typed ? name : ''}
          danger
          action={text.dialog.confirm}
          close={close}
          perform={async () => {
            await json(path, { method: 'DELETE' });
            await navigate(to);
          }}
        >
          {children}
        </Confirm>
      )}
    </Verbs>
  );
}
