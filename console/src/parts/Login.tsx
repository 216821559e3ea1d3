// How machines are logged in to: a user, a port, and a Secret that is there or is made of what is given here.

import type { ReactNode } from 'react';
import type { Cause } from '../api/http';
import type { SSHAccess } from '../api/kinds';
import { makeSshSecret, useSshSecrets } from '../api/secrets';
import { useText } from '../text';
import { Choice, TextField, fieldsOf, wrongWith } from './Form';

export interface Login {
  user: string;
  port: string;
  /** The Secret that is there; "" for a new one, made of `key`. */
  secret: string;
  key: { name: string; privateKey: string; passphrase: string; password: string };
}

const NEW = '';

export function firstLogin(secret = 'ssh'): Login {
  return {
    user: 'root',
    port: '22',
    secret: NEW,
    key: { name: secret, privateKey: '', passphrase: '', password: '' },
  };
}

/** What a Machine's spec says of it. */
export function sshOf({ user, port, secret, key }: Login): SSHAccess {
  return { user, port: Number(port), secretRef: { name: secret || key.name } };
}

/** Make the Secret, if a new one is wanted. */
export async function keepLogin(namespace: string, login: Login, labels: Record<string, string> = {}): Promise<void> {
  if (login.secret === NEW) await makeSshSecret(namespace, login.key.name, login.key, labels);
}

interface Props {
  namespace: string;
  login: Login;
  change: (login: Login) => void;
  causes: Cause[];
}

export function LoginFields({ namespace, login, change, causes }: Props): ReactNode {
  const words = useText().addMachines;
  const secrets = useSshSecrets(namespace);
  const field = fieldsOf(login, (part) => {
    change({ ...login, ...part });
  });
  return (
    <>
      <TextField
        label={words.user}
        help={words.userHelp}
        {...field('user')}
        required
        wrong={wrongWith(causes, 'spec.ssh.user')}
      />
      <TextField
        label={words.port}
        type="number"
        {...field('port')}
        required
        wrong={wrongWith(causes, 'spec.ssh.port')}
      />
      <Choice
        label={words.secret}
        {...field('secret')}
        options={[{ value: NEW, title: words.newSecret }, ...secrets.map((name) => ({ value: name, title: name }))]}
      />
      {login.secret === NEW && <NewKey login={login} change={change} />}
    </>
  );
}

function NewKey({ login, change }: Pick<Props, 'login' | 'change'>): ReactNode {
  const words = useText().addMachines;
  const field = fieldsOf(login.key, (part) => {
    change({ ...login, key: { ...login.key, ...part } });
  });
  return (
    <>
      <TextField label={words.secretName} {...field('name')} required />
      <TextField label={words.privateKey} help={words.privateKeyHelp} lines={4} {...field('privateKey')} />
      <TextField label={words.passphrase} type="password" {...field('passphrase')} />
      <TextField label={words.password} help={words.passwordHelp} type="password" {...field('password')} />
    </>
  );
}
