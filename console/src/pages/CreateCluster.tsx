// A cluster on machines that are free: one page, checked by the server while it is filled in. Nothing happens on a machine
// before the plan is approved.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { YAMLParseError, parse } from 'yaml';
import { json } from '../api/http';
import type { Cluster, Foundation } from '../api/kinds';
import type { Cell } from '../api/live';
import { useLive, useRows } from '../api/live';
import type { Obj } from '../api/resources';
import { CLUSTERS, FOUNDATIONS, MACHINES, keyOf, listPath, nameOf, namespaceOf, objectPath } from '../api/resources';
import type { TableRow } from '../api/watch';
import { Button } from '../parts/Button';
import { Choice, OtherCauses, TextField, fieldsOf, useDryRun, wrongWith } from '../parts/Form';
import { ErrorLine } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { useAttempt } from '../parts/attempt';
import { linkTo } from '../parts/links';
import { useChoices, useText } from '../text';
import { room } from './cidr';
import { isObject } from './kubeconfig';
import { readyState } from './Machines';

interface Wanted {
  namespace: string;
  name: string;
  foundation: string;
  version: string;
  runtime: string;
  podCIDR: string;
  serviceCIDR: string;
  provider: 'None' | 'VirtualIP' | 'External';
  host: string;
  approval: 'Manual' | 'Automatic';
  /** More of the spec, as YAML. */
  more: string;
}

type Roles = Record<string, 'ControlPlane' | 'Worker' | undefined>;

const FIRST: Wanted = {
  namespace: 'default',
  name: '',
  foundation: '',
  version: '',
  runtime: '',
  podCIDR: '10.244.0.0/16',
  serviceCIDR: '10.96.0.0/16',
  provider: 'None',
  host: '',
  approval: 'Manual',
  more: '',
};

export function CreateCluster(): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const words = text.createCluster;
  const { namespace: chosenNamespace } = useChoices();
  const [wanted, setWanted] = useState({ ...FIRST, namespace: chosenNamespace || 'default' });
  const change = (part: Partial<Wanted>): void => {
    setWanted({ ...wanted, ...part });
  };
  const [roles, setRoles] = useState<Roles>({});
  const { busy, error, run } = useAttempt();
  const [made, setMade] = useState('');
  const { items, cell } = useRows(MACHINES);
  const free = items.filter((machine) => !cell(machine, 'Cluster') && namespaceOf(machine) === wanted.namespace);
  const chosen = free.filter((machine) => roles[nameOf(machine)]);
  const controlPlanes = chosen.filter((machine) => roles[nameOf(machine)] === 'ControlPlane').length;
  const path = listPath(CLUSTERS, wanted.namespace);
  const cluster = clusterOf(wanted);
  const asked = { ...cluster, metadata: { ...cluster.metadata, name: wanted.name || 'unnamed' } };
  const found = useDryRun(path, busy ? null : asked);
  const causes = made === JSON.stringify(cluster) ? [] : found;
  const submit = async (): Promise<void> => {
    // What an earlier attempt has made is not made again.
    if (made !== JSON.stringify(cluster)) await json(path, { method: 'POST', body: cluster });
    setMade(JSON.stringify(cluster));
    await Promise.all(chosen.map((machine) => join(machine, wanted.name, roles)));
    await navigate(linkTo('clusters', wanted.namespace, wanted.name));
  };
  return (
    <Page title={words.title} above={{ to: '/clusters', title: text.clusters.title }}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void run(submit);
        }}
      >
        <Basics wanted={wanted} change={change} wrong={(field) => wrongWith(causes, field)} />
        <Network wanted={wanted} change={change} wrong={(field) => wrongWith(causes, field)} />
        <Panel title={text.machines.title}>
          <MachineRoles machines={free} cell={cell} roles={roles} change={setRoles} />
        </Panel>
        <More wanted={wanted} change={change} />
        <OtherCauses causes={causes} known={FIELDS} />
        {error && <ErrorLine error={error} />}
        <Approval wanted={wanted} change={change} />
        <p role="status">{words.sum(controlPlanes, chosen.length - controlPlanes)}</p>
        <Button
          type="submit"
          theme="primary"
          loading={busy}
          disabled={controlPlanes === 0 || causes.length > 0 || moreOf(wanted.more) === null}
        >
          {words.submit}
        </Button>
      </form>
    </Page>
  );
}

/** What the form has no field for: components, add-ons, escape hatches of kubeadm, exceptions. */
function More({ wanted, change }: Pick<PartProps, 'wanted' | 'change'>): ReactNode {
  const words = useText().createCluster;
  const field = fieldsOf(wanted, change);
  return (
    <Panel title={words.more}>
      <TextField
        label={words.moreYaml}
        help={words.moreHelp}
        lines={4}
        {...field('more')}
        wrong={moreOf(wanted.more) === null ? words.moreWrong : undefined}
      />
    </Panel>
  );
}

const FIELDS = [
  'metadata.name',
  'spec.foundationRef',
  'spec.kubernetes.version',
  'spec.runtime',
  'spec.network.podCIDR',
  'spec.network.serviceCIDR',
  'spec.controlPlane.endpoint.provider',
  'spec.controlPlane.endpoint.host',
];

function Approval({ wanted, change }: Pick<PartProps, 'wanted' | 'change'>): ReactNode {
  const words = useText().createCluster;
  return (
    <Choice
      label={words.approval}
      {...fieldsOf(wanted, change)('approval')}
      options={[
        { value: 'Manual', title: words.manual },
        { value: 'Automatic', title: words.automatic },
      ]}
    />
  );
}

async function join(machine: Obj, cluster: string, roles: Roles): Promise<void> {
  await json(objectPath(MACHINES, namespaceOf(machine), nameOf(machine)), {
    method: 'PATCH',
    contentType: 'application/merge-patch+json',
    body: { spec: { clusterRef: { name: cluster }, role: roles[nameOf(machine)] } },
  });
}

interface PartProps {
  wanted: Wanted;
  change: (part: Partial<Wanted>) => void;
  wrong: (field: string) => string | undefined;
}

function Basics({ wanted, change, wrong }: PartProps): ReactNode {
  const text = useText();
  const words = text.createCluster;
  const foundations = useLive(FOUNDATIONS).items.filter((one) => namespaceOf(one) === wanted.namespace);
  const foundation = foundations.find((one) => nameOf(one) === wanted.foundation);
  const field = fieldsOf(wanted, change);
  return (
    <Panel title={words.basics}>
      <TextField label={text.columns.name} {...field('name')} required wrong={wrong('metadata.name')} />
      <TextField label={text.columns.namespace} {...field('namespace')} required />
      <Choice
        label={text.columns.foundation}
        help={foundation ? words.foundationSays(says(foundation)) : words.foundationHelp}
        {...field('foundation')}
        wrong={wrong('spec.foundationRef')}
        options={[
          { value: '', title: text.state.none },
          ...foundations.map((one) => ({ value: nameOf(one), title: nameOf(one) })),
        ]}
      />
      <TextField
        label={text.columns.version}
        help={words.versionHelp}
        placeholder={foundation?.spec?.kubernetes?.version ?? ''}
        {...field('version')}
        wrong={wrong('spec.kubernetes.version')}
      />
      <Choice
        label={text.columns.runtime}
        help={words.runtimeHelp}
        {...field('runtime')}
        wrong={wrong('spec.runtime')}
        options={[
          { value: '', title: words.asFoundation(foundation?.spec?.runtime?.name ?? 'containerd') },
          { value: 'containerd', title: 'containerd' },
          { value: 'docker', title: 'docker' },
        ]}
      />
    </Panel>
  );
}

function says(foundation: Foundation): string {
  const { kubernetes, runtime } = foundation.spec ?? {};
  return [kubernetes?.distribution, kubernetes?.version, runtime?.name].filter(Boolean).join(' · ');
}

function Network({ wanted, change, wrong }: PartProps): ReactNode {
  const text = useText();
  const words = text.createCluster;
  const field = fieldsOf(wanted, change);
  const pods = room(wanted.podCIDR);
  const services = room(wanted.serviceCIDR);
  return (
    <Panel title={words.network}>
      <TextField
        label={words.podCIDR}
        help={pods === null ? words.cidrWrong : words.podRoom(Math.floor(pods / 256))}
        {...field('podCIDR')}
        required
        wrong={wrong('spec.network.podCIDR')}
      />
      <TextField
        label={words.serviceCIDR}
        help={services === null ? words.cidrWrong : words.serviceRoom(services)}
        {...field('serviceCIDR')}
        required
        wrong={wrong('spec.network.serviceCIDR')}
      />
      <Choice
        label={words.endpoint}
        help={words.endpointHelp[wanted.provider]}
        {...field('provider')}
        wrong={wrong('spec.controlPlane.endpoint.provider')}
        options={[
          { value: 'None', title: words.endpointNone },
          { value: 'VirtualIP', title: words.endpointVirtual },
          { value: 'External', title: words.endpointExternal },
        ]}
      />
      {wanted.provider !== 'None' && (
        <TextField label={words.host} {...field('host')} required wrong={wrong('spec.controlPlane.endpoint.host')} />
      )}
    </Panel>
  );
}

interface RolesProps {
  machines: TableRow[];
  cell: Cell;
  roles: Roles;
  change: (roles: Roles) => void;
}

function MachineRoles({ machines, cell, roles, change }: RolesProps): ReactNode {
  const text = useText();
  const words = text.createCluster;
  if (machines.length === 0) return <p>{words.noMachines}</p>;
  return (
    <table className="table plain">
      <thead>
        <tr>
          <th scope="col">{text.columns.name}</th>
          <th scope="col">{text.columns.state}</th>
          <th scope="col">{text.columns.address}</th>
          <th scope="col">{text.columns.os}</th>
          <th scope="col">{text.columns.role}</th>
        </tr>
      </thead>
      <tbody>
        {machines.map((machine) => (
          <tr key={keyOf(machine)}>
            <th scope="row">{nameOf(machine)}</th>
            <td>
              <Status state={readyState(cell(machine, 'Ready'))} />
            </td>
            <td>{cell(machine, 'Address')}</td>
            <td>{cell(machine, 'OS')}</td>
            <td>
              <select
                className="field"
                aria-label={`${text.columns.role}: ${nameOf(machine)}`}
                value={roles[nameOf(machine)] ?? ''}
                onChange={(event) => {
                  const role = event.target.value as 'ControlPlane' | 'Worker' | '';
                  change({ ...roles, [nameOf(machine)]: role || undefined });
                }}
              >
                <option value="">{words.notUsed}</option>
                <option value="ControlPlane">{text.roles.ControlPlane}</option>
                <option value="Worker">{text.roles.Worker}</option>
              </select>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function clusterOf(wanted: Wanted): Cluster {
  const { namespace, name, foundation, version, runtime, podCIDR, serviceCIDR, provider, host, approval } = wanted;
  return {
    apiVersion: 'groundplane.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name, namespace },
    spec: {
      provider: 'Machines',
      ...(foundation ? { foundationRef: { name: foundation } } : {}),
      ...(version ? { kubernetes: { version } } : {}),
      ...(runtime ? { runtime: { name: runtime as 'containerd' | 'docker' } } : {}),
      network: { podCIDR, serviceCIDR },
      ...(provider === 'None' ? {} : { controlPlane: { endpoint: { provider, host } } }),
      change: { approval },
      ...moreOf(wanted.more),
    },
  };
}

/** What was written as YAML, as a part of the spec; null when it is none. */
export function moreOf(text: string): Record<string, unknown> | null {
  try {
    const found: unknown = parse(text) ?? {};
    return isObject(found) ? found : null;
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    return null;
  }
}
