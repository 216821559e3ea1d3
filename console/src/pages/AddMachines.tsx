// Several machines at once: their addresses and one way to log in. What is found on each shows in the list of machines.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import type { Cause } from '../api/http';
import { json } from '../api/http';
import type { Machine } from '../api/kinds';
import { MACHINES, listPath, nameOf } from '../api/resources';
import { wordsOf } from '../api/written';
import { Button } from '../parts/Button';
import { TextField, fieldsOf, useDryRun, wrongWith } from '../parts/Form';
import type { Login } from '../parts/Login';
import { LoginFields, firstLogin, keepLogin, sshOf } from '../parts/Login';
import { ErrorLine } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import type { Attempt } from '../parts/attempt';
import { useAttempt, useOnce } from '../parts/attempt';
import { useChoices, useText } from '../text';

export interface Wanted {
  namespace: string;
  addresses: string;
  prefix: string;
  login: Login;
}

export function AddMachines(): ReactNode {
  const text = useText();
  const words = text.addMachines;
  const { namespace: chosenNamespace } = useChoices();
  const [wanted, setWanted] = useState<Wanted>({
    namespace: chosenNamespace || 'default',
    addresses: '',
    prefix: 'node-',
    login: firstLogin(),
  });
  const machines = machinesOf(wanted);
  const { submit, run, busy, error, made } = useSubmit(wanted, machines);
  const asked = machines[0] ?? machineOf(wanted, 'node-1', '192.0.2.1');
  const causes = useDryRun(listPath(MACHINES, wanted.namespace), busy ? null : asked);
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
        <Panel title={words.login}>
          <LoginFields
            namespace={wanted.namespace}
            login={wanted.login}
            change={(login) => {
              setWanted({ ...wanted, login });
            }}
            causes={causes}
          />
        </Panel>
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
function useSubmit({ namespace, login }: Wanted, machines: WantedMachine[]): Submitting {
  const navigate = useNavigate();
  const once = useOnce();
  const attempt = useAttempt();
  const [made, setMade] = useState(0);
  const submit = async (): Promise<void> => {
    setMade(0);
    await once([namespace, login.secret, login.key], () => keepLogin(namespace, login));
    for (const machine of machines) {
      const path = listPath(MACHINES, namespace);
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
  const field = fieldsOf(wanted, (part) => {
    change({ ...wanted, ...part });
  });
  return (
    <Panel title={words.which}>
      <TextField
        label={words.addresses}
        help={words.addressesHelp}
        lines={5}
        required
        {...field('addresses')}
        wrong={wrongWith(causes, 'spec.address')}
      />
      <TextField
        label={words.prefix}
        help={words.prefixHelp}
        {...field('prefix')}
        required
        wrong={wrongWith(causes, 'metadata.name')}
      />
      <TextField label={text.columns.namespace} {...field('namespace')} required />
      <p role="status">{words.preview(machines.map((machine) => `${nameOf(machine)} (${machine.spec.address})`))}</p>
    </Panel>
  );
}

/** The addresses that were given, one for each line, comma, semicolon or space; each once. */
export function addressesOf(given: string): string[] {
  return [...new Set(wordsOf(given))];
}

export type WantedMachine = Machine & { spec: { address: string } };

export function machinesOf(wanted: Wanted): WantedMachine[] {
  return addressesOf(wanted.addresses).map((address, index) =>
    machineOf(wanted, `${wanted.prefix}${index + 1}`, address),
  );
}

function machineOf({ namespace, login }: Wanted, name: string, address: string): WantedMachine {
  return {
    apiVersion: 'groundplane.dev/v1alpha1',
    kind: 'Machine',
    metadata: { name, namespace },
    spec: { address, ssh: sshOf(login) },
  };
}
