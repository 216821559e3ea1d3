// One Node of a cluster, as its own API shows it: what it is, what runs on it, and its cordon, labels and taints.

import type { ReactNode } from 'react';
import { useParams } from 'react-router';
import type { ApiError } from '../api/http';
import { kindPath, member } from '../api/member';
import type { Node } from '../api/pods';
import { NODES, PODS, podsOn } from '../api/pods';
import { useOne } from '../api/live';
import { useRights } from '../api/session';
import { Conditions } from '../parts/Conditions';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Facts, Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { Yaml } from '../parts/Yaml';
import { linkTo } from '../parts/links';
import { useText } from '../text';
import { NodeActions } from './NodeActions';
import { NodeLabels } from './NodeLabels';
import { Events } from './Events';
import { KindTable } from './KindTable';
import { NodeTerminalLink } from './MachineTerminal';
import { useSite } from './site';

export function NodePage(): ReactNode {
  const text = useText();
  const { namespace = '', name = '', node = '' } = useParams();
  const base = member(namespace, name);
  const path = kindPath(base, NODES);
  const { item, ready, error } = useOne<Node>({ base: `${base}/api/v1`, plural: NODES.plural }, '', node);
  const can = useRights(namespace);
  if (!item) return <Missing error={error} ready={ready} />;
  const self = `${path}/${encodeURIComponent(node)}`;
  const may = (verb: string): boolean => can(verb, 'clusters/proxy', name);
  return (
    <Page
      title={node}
      above={{ to: `${linkTo('clusters', namespace, name)}/nodes`, title: `${name}: ${text.cluster.nodes}` }}
      beside={
        <>
          <Status state={stateOf(item)} />
          {item.spec?.unschedulable && <Status state="Degraded" word={text.node.cordoned} />}
        </>
      }
      actions={
        <>
          <NodeTerminalLink namespace={namespace} cluster={name} node={node} />
          {may('patch') && <NodeActions base={base} path={self} node={item} mayDrain={may('create')} />}
        </>
      }
    >
      {error && <Problem error={error} what={text.cluster.nodes} member />}
      <div className="columns">
        <Panel title={text.machines.facts}>
          <Found node={item} />
        </Panel>
        <Panel title={text.cluster.conditions}>
          <Conditions of={item.status?.conditions as Parameters<typeof Conditions>[0]['of']} />
        </Panel>
      </div>
      <NodeLabels key={node} path={self} node={item} mayEdit={may('patch')} />
      <Panel title={text.node.pods}>
        <Pods base={base} node={node} />
      </Panel>
      <Panel title={text.events.title}>
        <Events base={base} kind="Node" namespace="" name={node} />
      </Panel>
      <Panel title={text.cluster.yaml}>
        <Yaml path={self} mayEdit={may('update')} />
      </Panel>
    </Page>
  );
}

function Missing({ error, ready }: { error: ApiError | null; ready: boolean }): ReactNode {
  const text = useText();
  if (error) return <Problem error={error} what={text.cluster.nodes} member />;
  return ready ? <Notice title={text.node.gone} /> : <Loading />;
}

function stateOf({ status }: Node): string {
  return status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ? 'Ready' : 'NotReady';
}

function Found({ node }: { node: Node }): ReactNode {
  const { columns, node: words, cluster } = useText();
  const { nodeInfo = {}, addresses = [], allocatable = {} } = node.status ?? {};
  return (
    <Facts
      of={[
        [columns.address, addresses.map(({ type, address }) => `${address} (${type})`).join(', ')],
        [columns.version, nodeInfo.kubeletVersion],
        [columns.runtime, nodeInfo.containerRuntimeVersion],
        [columns.os, nodeInfo.osImage],
        [columns.kernel, nodeInfo.kernelVersion],
        [words.architecture, nodeInfo.architecture],
        [columns.cpus, allocatable.cpu],
        [columns.memory, allocatable.memory],
        [words.mostPods, allocatable.pods],
        [cluster.podCIDR, node.spec?.podCIDR],
      ]}
    />
  );
}

function Pods({ base, node }: { base: string; node: string }): ReactNode {
  const words = useText().node;
  return <KindTable site={useSite()} kind={PODS} path={podsOn(base, node)} label={words.pods} empty={words.noPods} />;
}
