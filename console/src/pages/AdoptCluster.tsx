// An imported cluster becomes changeable: a Machine for each of its Nodes, and one way to log in. What did not match is told
// by the cluster's condition; nothing is changed on the machines and in the cluster.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { ask } from '../api/ask';
import type { ApiError } from '../api/http';
import { json } from '../api/http';
import type { Cluster, Condition, Machine } from '../api/kinds';
import { useRows, useTable } from '../api/live';
import { kindPath, member } from '../api/member';
import { NODES } from '../api/pods';
import { CLUSTERS, MACHINES, listPath, nameOf, namespaceOf, objectPath } from '../api/resources';
import { Button } from '../parts/Button';
import { TextField, useDryRun } from '../parts/Form';
import type { Login } from '../parts/Login';
import { LoginFields, firstLogin, keepLogin, sshOf } from '../parts/Login';
import { ErrorLine, Loading, Problem } from '../parts/Notice';
import { Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { useAttempt, useOnce } from '../parts/attempt';
import { useText } from '../text';

const CLUSTER_LABEL = 'groundplane.dev/cluster';
const PLANES = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];

interface Wanted {
  login: Login;
  /** Host to go through; "" for none. */
  jump: string;
  /** Addresses for SSH of nodes where it is not the InternalIP. */
  addresses: Record<string, string>;
}

export function AdoptCluster({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const words = text.adopt;
  const namespace = namespaceOf(cluster);
  const { nodes, ready, problem } = useNodes(namespace, nameOf(cluster));
  const { items: there, cell } = useRows(MACHINES, namespace);
  const [wanted, setWanted] = useState<Wanted>({
    login: firstLogin(`${nameOf(cluster)}-ssh`),
    jump: '',
    addresses: {},
  });
  const missing = nodes.filter((node) => !there.some((machine) => nameOf(machine) === node.name));
  const foreign = there.filter(
    (machine) => nodes.some(({ name }) => name === nameOf(machine)) && cell(machine, 'Cluster') !== nameOf(cluster),
  );
  const { submit, busy, asked, error, run } = useAdoption(cluster, wanted, missing);
  if (problem) return <Problem error={problem} what={text.cluster.nodes} member />;
  if (!ready) return <Loading />;
  return (
    <>
      <Match condition={cluster.status?.conditions?.find(({ type }) => type === 'Adopted')} asked={asked} />
      {foreign.map((machine) => (
        <p key={nameOf(machine)} className="banner">
          {words.foreign(nameOf(machine), cell(machine, 'Cluster'))}
        </p>
      ))}
      {missing.length === 0 ? (
        <p>{words.complete}</p>
      ) : (
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            void run(submit);
          }}
        >
          <Nodes nodes={missing} wanted={wanted} change={setWanted} />
          <Access cluster={cluster} first={busy ? undefined : missing[0]} wanted={wanted} change={setWanted} />
          {error && <ErrorLine error={error} />}
          <Button type="submit" theme="primary" loading={busy} disabled={foreign.length > 0}>
            {words.submit(missing.length)}
          </Button>
          <p>{words.nothingChanges}</p>
        </form>
      )}
    </>
  );
}

/** A Node as far as a Machine is made of it. */
interface Seen {
  name: string;
  address: string;
  labels: Record<string, string>;
}

/** The Nodes of a cluster, as its own API has them now. */
function useNodes(namespace: string, name: string): { nodes: Seen[]; ready: boolean; problem: ApiError | null } {
  const { items, columns, ready, error } = useTable(kindPath(member(namespace, name), NODES));
  const place = columns.findIndex((column) => column.name === 'Internal-IP');
  const nodes = items.map((row) => ({
    name: nameOf(row),
    address: String(row.cells[place] ?? '').replace('<none>', ''),
    labels: row.metadata?.labels ?? {},
  }));
  return { nodes, ready, problem: ready ? null : error };
}

function useAdoption(cluster: Cluster, wanted: Wanted, missing: Seen[]) {
  const namespace = namespaceOf(cluster);
  const once = useOnce();
  const attempt = useAttempt();
  const [asked, setAsked] = useState(false);
  const submit = async (): Promise<void> => {
    const { login } = wanted;
    await once([login.secret, login.key], () => keepLogin(namespace, login, { [CLUSTER_LABEL]: nameOf(cluster) }));
    for (const node of missing) {
      const machine = machineOf(cluster, node, wanted);
      await once(machine, () => json(listPath(MACHINES, namespace), { method: 'POST', body: machine }));
    }
    await ask(objectPath(CLUSTERS, namespace, nameOf(cluster)), 'survey');
    setAsked(true);
  };
  return { ...attempt, submit, asked };
}

/** What the cluster's condition says of its Machines, mismatch by mismatch. */
function Match({ condition, asked }: { condition: Condition | undefined; asked: boolean }): ReactNode {
  const words = useText().adopt;
  const matched = condition?.status === 'True';
  const state = matched ? 'Ready' : condition?.status === 'False' ? 'NotReady' : 'Unknown';
  const word = matched ? words.matched : condition?.status === 'False' ? words.notMatched : words.notLooked;
  const problems = (condition?.message ?? '').split('; ').filter(Boolean);
  return (
    <Panel title={words.match}>
      <p role="status">
        <Status state={state} word={word} /> {asked && !condition && words.asked}
      </p>
      <ul className="bullets">
        {problems.map((problem) => (
          <li key={problem}>{problem}</li>
        ))}
      </ul>
    </Panel>
  );
}

interface FormProps {
  wanted: Wanted;
  change: (wanted: Wanted) => void;
}

function Nodes({ nodes, wanted, change }: FormProps & { nodes: Seen[] }): ReactNode {
  const text = useText();
  return (
    <Panel title={text.cluster.nodes}>
      <p>{text.adopt.nodesHelp}</p>
      <table className="table plain">
        <thead>
          <tr>
            <th scope="col">{text.columns.name}</th>
            <th scope="col">{text.columns.role}</th>
            <th scope="col">{text.columns.address}</th>
          </tr>
        </thead>
        <tbody>
          {nodes.map((node) => (
            <tr key={node.name}>
              <th scope="row">{node.name}</th>
              <td>{text.roles[roleOf(node)]}</td>
              <td>
                <input
                  className="field"
                  aria-label={`${text.columns.address}: ${node.name}`}
                  required
                  autoComplete="off"
                  value={addressOf(node, wanted)}
                  onChange={(event) => {
                    change({ ...wanted, addresses: { ...wanted.addresses, [node.name]: event.target.value } });
                  }}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

interface AccessProps extends FormProps {
  cluster: Cluster;
  /** The node whose Machine is asked about before it is made; none while they are made. */
  first: Seen | undefined;
}

function Access({ cluster, first, wanted, change }: AccessProps): ReactNode {
  const text = useText();
  const causes = useDryRun(listPath(MACHINES, namespaceOf(cluster)), first ? machineOf(cluster, first, wanted) : null);
  return (
    <Panel title={text.addMachines.login}>
      <LoginFields
        namespace={namespaceOf(cluster)}
        login={wanted.login}
        change={(login) => {
          change({ ...wanted, login });
        }}
        causes={causes}
      />
      <TextField
        label={text.adopt.jump}
        help={text.adopt.jumpHelp}
        value={wanted.jump}
        change={(jump) => {
          change({ ...wanted, jump });
        }}
        wrong={causes.find(({ field }) => field?.startsWith('spec.ssh.jump'))?.message}
      />
    </Panel>
  );
}

function roleOf({ labels }: Seen): 'ControlPlane' | 'Worker' {
  return PLANES.some((label) => label in labels) ? 'ControlPlane' : 'Worker';
}

function addressOf(node: Seen, { addresses }: Wanted): string {
  return addresses[node.name] ?? node.address;
}

/** The Machine of a Node. */
export function machineOf(cluster: Cluster, node: Seen, wanted: Wanted): Machine {
  const ssh = sshOf(wanted.login);
  const jump = jumpOf(wanted.jump);
  return {
    apiVersion: 'groundplane.dev/v1alpha1',
    kind: 'Machine',
    metadata: { name: node.name, namespace: namespaceOf(cluster) },
    spec: {
      address: addressOf(node, wanted),
      clusterRef: { name: nameOf(cluster) },
      role: roleOf(node),
      ssh: jump ? { ...ssh, jump: { ...jump, ...(ssh.secretRef ? { secretRef: ssh.secretRef } : {}) } } : ssh,
    },
  };
}

/** [USER@]HOST[:PORT] */
function jumpOf(given: string): { address: string; user?: string; port?: number } | null {
  const match = /^(?:([^@]+)@)?(.+?)(?::(\d+))?$/.exec(given.trim());
  if (!match) return null;
  const [, user, address = '', port] = match;
  return { address, ...(user ? { user } : {}), ...(port ? { port: Number(port) } : {}) };
}
