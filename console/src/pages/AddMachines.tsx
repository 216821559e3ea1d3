// Several machines at once: their addresses and one way to log in. What is found on each shows in the list of machines.

import type { ReactNode } from 'react';
import { useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import type { Cause } from '../api/http';
import { json } from '../api/http';
import type { Machine } from '../api/kinds';
import { MACHINES, listPath, nameOf } from '../api/resources';
import { makeSshSecret, useSshSecrets } from '../api/secrets';
import { Button } from '../parts/Button';
import { Choice, TextField, useDryRun, wrongWith } from '../parts/Form';
import { ErrorLine } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import type { Attempt } from '../parts/attempt';
import { useAttempt } from '../parts/attempt';
import { useChoices, useText } from '../text';

export interface Wanted {
  namespace: string;
  addresses: string;
  prefix: string;
  user: string;
  port: string;
  secret: string;
}

const NEW = '';
const FIRST: Wanted = { namespace: 'default', addresses: '', prefix: 'node-', user: 'root', port: '22', secret: NEW };
const NO_KEY = { name: 'ssh', privateKey: '', passphrase: '', password: '' };

type Key = typeof NO_KEY;

export function AddMachines(): ReactNode {
  const text = useText();
  const words = text.addMachines;
  const { namespace: chosenNamespace } = useChoices();
  const [wanted, setWanted] = useState({ ...FIRST, namespace: chosenNamespace || 'default' });
  const [key, setKey] = useState(NO_KEY);
  const machines = machinesOf(wanted, wanted.secret || key.name);
  const causes = useDryRun(
    listPath(MACHINES, wanted.namespace),
    machines[0] ?? machineOf(wanted, key.name, 'node-1', '192.0.2.1'),
  );
  const { submit, run, busy, error, made } = useSubmit(wanted, key, machines);
  return (
    <Page title={words.title} above={{ to: '/machines', title: text.machines.title }}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void run(submit);
        }}
      >
        <WhichMachines wanted={wanted} change={setWanted} machines={machines} causes={causes} />
        <HowToLogIn wanted={wanted} change={setWanted} made={key} make={setKey} causes={causes} />
        {error && <ErrorLine error={error} />}
        {error && made > 0 && <p role="status">{words.madeSoFar(made, machines.length)}</p>}
        <Button type="submit" theme="primary" loading={busy} disabled={machines.length === 0}>
          {words.submit(machines.length)}
        </Button>
      </form>
    </Page>
  );
}

interface Submitting extends Attempt {
  submit: () => Promise<void>;
  /** How many machines are made. */
  made: number;
}

/** What an earlier attempt has made is not made again: it is known by its content. */
function useSubmit(wanted: Wanted, key: Key, machines: WantedMachine[]): Submitting {
  const navigate = useNavigate();
  const done = useRef(new Set<string>());
  const attempt = useAttempt();
  const [made, setMade] = useState(0);
  const once = async (what: unknown, make: () => Promise<unknown>): Promise<void> => {
    const known = JSON.stringify(what);
    if (done.current.has(known)) return;
    await make();
    done.current.add(known);
  };
  const submit = async (): Promise<void> => {
    setMade(0);
    if (wanted.secret === NEW) {
      await once([wanted.namespace, key], () => makeSshSecret(wanted.namespace, key.name, key));
    }
    for (const machine of machines) {
      const path = listPath(MACHINES, wanted.namespace);
      await once(machine, () => json(path, { method: 'POST', body: machine }));
      setMade((before) => before + 1);
    }
    await navigate('/machines');
  };
  return { ...attempt, submit, made };
}

interface WhichProps {
  wanted: Wanted;
  change: (wanted: Wanted) => void;
  machines: WantedMachine[];
  causes: Cause[];
}

function WhichMachines({ wanted, change, machines, causes }: WhichProps): ReactNode {
  const text = useText();
  const words = text.addMachines;
  const set = (field: keyof Wanted) => (value: string) => {
    change({ ...wanted, [field]: value });
  };
  return (
    <Panel title={words.which}>
      <TextField
        label={words.addresses}
        help={words.addressesHelp}
        lines={5}
        required
        value={wanted.addresses}
        change={set('addresses')}
        wrong={wrongWith(causes, 'spec.address')}
      />
      <TextField
        label={words.prefix}
        help={words.prefixHelp}
        value={wanted.prefix}
        change={set('prefix')}
        required
        wrong={wrongWith(causes, 'metadata.name')}
      />
      <TextField label={text.columns.namespace} value={wanted.namespace} change={set('namespace')} required />
      <p role="status">{words.preview(machines.map((machine) => `${nameOf(machine)} (${machine.spec.address})`))}</p>
    </Panel>
  );
}

interface LoginProps {
  wanted: Wanted;
  change: (wanted: Wanted) => void;
  made: Key;
  make: (key: Key) => void;
  causes: Cause[];
}

function HowToLogIn({ wanted, change, made, make, causes }: LoginProps): ReactNode {
  const words = useText().addMachines;
  const secrets = useSshSecrets(wanted.namespace);
  const set = (field: keyof Wanted) => (value: string) => {
    change({ ...wanted, [field]: value });
  };
  return (
    <Panel title={words.login}>
      <TextField
        label={words.user}
        help={words.userHelp}
        value={wanted.user}
        change={set('user')}
        required
        wrong={wrongWith(causes, 'spec.ssh.user')}
      />
      <TextField
        label={words.port}
        type="number"
        value={wanted.port}
        change={set('port')}
        required
        wrong={wrongWith(causes, 'spec.ssh.port')}
      />
      <Choice
        label={words.secret}
        value={wanted.secret}
        change={set('secret')}
        options={[{ value: NEW, title: words.newSecret }, ...secrets.map((name) => ({ value: name, title: name }))]}
      />
      {wanted.secret === NEW && <NewKey made={made} make={make} />}
    </Panel>
  );
}

function NewKey({ made, make }: Pick<LoginProps, 'made' | 'make'>): ReactNode {
  const words = useText().addMachines;
  const set = (field: keyof Key) => (value: string) => {
    make({ ...made, [field]: value });
  };
  return (
    <>
      <TextField label={words.secretName} value={made.name} change={set('name')} required />
      <TextField
        label={words.privateKey}
        help={words.privateKeyHelp}
        lines={4}
        value={made.privateKey}
        change={set('privateKey')}
      />
      <TextField label={words.passphrase} type="password" value={made.passphrase} change={set('passphrase')} />
      <TextField
        label={words.password}
        help={words.passwordHelp}
        type="password"
        value={made.password}
        change={set('password')}
      />
    </>
  );
}

/** The addresses that were given, one for each line, comma, semicolon or space; each once. */
export function addressesOf(given: string): string[] {
  return [...new Set(given.split(/[\s,;]+/).filter(Boolean))];
}

export type WantedMachine = Machine & { spec: { address: string } };

export function machinesOf(wanted: Wanted, secret: string): WantedMachine[] {
  return addressesOf(wanted.addresses).map((address, index) =>
    machineOf(wanted, secret, `${wanted.prefix}${index + 1}`, address),
  );
}

function machineOf(wanted: Wanted, secret: string, name: string, address: string): WantedMachine {
  return {
    apiVersion: 'groundplane.dev/v1alpha1',
    kind: 'Machine',
    metadata: { name, namespace: wanted.namespace },
    spec: { address, ssh: { user: wanted.user, port: Number(wanted.port), secretRef: { name: secret } } },
  };
}
