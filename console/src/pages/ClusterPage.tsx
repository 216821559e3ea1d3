// One cluster, part by part.

import type { ReactNode } from 'react';
import { useMemo, useState } from 'react';
import { useParams } from 'react-router';
import { Button } from '../parts/Button';
import { ask } from '../api/ask';
import type { Cluster } from '../api/kinds';
import { useOne, useRows } from '../api/live';
import { CLUSTERS, OPERATIONS, namespaceOf, nameOf, objectPath } from '../api/resources';
import type { Can } from '../api/session';
import { useRights } from '../api/session';
import { Conditions } from '../parts/Conditions';
import { Code, ErrorLine, Loading, Notice, Problem } from '../parts/Notice';
import { Facts, Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { Tabs } from '../parts/Tabs';
import { Age } from '../parts/Time';
import { Delete } from '../parts/Verbs';
import { Copyable } from '../parts/Copyable';
import { useAttempt } from '../parts/attempt';
import { linkTo } from '../parts/links';
import { Yaml } from '../parts/Yaml';
import { useText } from '../text';
import { AdoptCluster } from './AdoptCluster';
import { ChangeCluster } from './ChangeCluster';
import { Events } from './Events';
import { History } from './History';
import { DriftTable, FindingTable, NodeTable } from './clusterTables';
import { OperationTable } from './Operations';
import { Resources } from './Resources';

type TabName =
  | 'overview'
  | 'adopt'
  | 'change'
  | 'nodes'
  | 'drift'
  | 'findings'
  | 'operations'
  | 'resources'
  | 'events'
  | 'kubeconfig'
  | 'yaml';

/** The parts of a cluster's page that it has, for who may use them. */
function tabsOf(cluster: Cluster, can: Can): TabName[] {
  const mayChange = can('patch', 'clusters', nameOf(cluster));
  const adopted = cluster.status?.conditions?.some(({ type, status }) => type === 'Adopted' && status === 'True');
  const imported = cluster.spec?.provider === 'Imported';
  return [
    'overview',
    ...(imported && can('create', 'machines') ? ['adopt' as const] : []),
    ...(mayChange && (!imported || adopted) ? ['change' as const] : []),
    'nodes',
    'drift',
    'findings',
    'operations',
    'resources',
    'events',
    'kubeconfig',
    'yaml',
  ];
}

export function ClusterPage(): ReactNode {
  const text = useText();
  const { namespace = '', name = '', tab = 'overview', plural } = useParams();
  const { item, ready, error } = useOne(CLUSTERS, namespace, name);
  const can = useRights(namespace);
  if (!item) {
    if (error) return <Problem error={error} what={text.clusters.all} />;
    return ready ? <Notice title={text.cluster.gone} /> : <Loading />;
  }
  const base = linkTo('clusters', namespace, name);
  const tabs = tabsOf(item, can);
  return (
    <Page
      title={name}
      above={{ to: '/clusters', title: text.clusters.title }}
      beside={<Status state={item.status?.phase ?? 'Pending'} />}
      actions={<Actions cluster={item} />}
    >
      {error && <Problem error={error} what={text.clusters.all} />}
      <Tabs
        label={text.cluster.tabs}
        tabs={tabs.map((each) => ({
          to: each === 'overview' ? base : `${base}/${each}`,
          title: text.cluster[each],
          end: each === 'overview',
        }))}
      />
      <Part cluster={item} tabs={tabs} tab={plural === undefined ? tab : 'resources'} />
    </Page>
  );
}

interface PartProps {
  cluster: Cluster;
  /** The parts that there are; `tab` is the one that is asked for. */
  tabs: TabName[];
  tab: string;
}

function Part({ cluster, tabs, tab }: PartProps): ReactNode {
  const text = useText();
  const can = useRights(namespaceOf(cluster));
  const assessment = cluster.status?.assessment;
  switch (tabs.find((each) => each === tab)) {
    case 'overview':
      return <About cluster={cluster} />;
    case 'adopt':
      return <AdoptCluster cluster={cluster} />;
    case 'change':
      return <ChangeCluster cluster={cluster} />;
    case 'nodes':
      return <NodeTable cluster={cluster} />;
    case 'drift':
      return (
        <DriftTable
          drift={assessment?.drift ?? []}
          change={tabs.includes('change') ? `${addressOf(cluster)}/change` : ''}
        />
      );
    case 'findings':
      return <FindingTable findings={assessment?.findings ?? []} />;
    case 'operations':
      return <Done cluster={cluster} />;
    case 'resources':
      return <Resources />;
    case 'events':
      return <Events base="" kind="Cluster" namespace={namespaceOf(cluster)} name={nameOf(cluster)} />;
    case 'kubeconfig':
      return <Way cluster={cluster} />;
    case 'yaml':
      return <Yaml path={pathOf(cluster)} mayEdit={can('update', 'clusters', nameOf(cluster))} />;
    default:
      return <Notice title={text.notFound} />;
  }
}

function addressOf(cluster: Cluster): string {
  return linkTo('clusters', namespaceOf(cluster), nameOf(cluster));
}

function About({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const { status, spec } = cluster;
  const { columns, state } = text;
  return (
    <div className="columns">
      <Panel title={text.cluster.overview}>
        <Facts
          of={[
            [columns.version, status?.version || state.none],
            [columns.distribution, status?.distribution || state.none],
            [columns.runtime, status?.runtime || state.none],
            [text.cluster.platform, status?.facts?.platform?.name || state.none],
            [columns.foundation, spec?.foundationRef?.name ?? state.none],
            [text.cluster.endpoint, status?.endpoint || status?.facts?.source || state.none],
            [columns.provider, spec?.provider === 'Imported' ? text.clusters.imported : text.clusters.made],
            [text.cluster.factsAt, <Age key="at" of={status?.facts?.observedAt} />],
          ]}
        />
        {status?.assessment?.summary !== undefined && <p>{status.assessment.summary}</p>}
      </Panel>
      <Panel title={text.cluster.conditions}>
        <Conditions of={status?.conditions} />
      </Panel>
      {(status?.history ?? []).length > 0 && <History of={status?.history ?? []} />}
    </div>
  );
}

function Done({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const { items, cell } = useRows(OPERATIONS, namespaceOf(cluster));
  const name = nameOf(cluster);
  const mine = useMemo(() => items.filter((one) => cell(one, 'Cluster') === name), [items, cell, name]);
  return <OperationTable operations={mine} cell={cell} empty={<Notice title={text.cluster.noOperations} />} />;
}

function Way({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const command = `groundplane -n ${namespaceOf(cluster)} kubeconfig cluster/${nameOf(cluster)} --output ${nameOf(cluster)}.kubeconfig`;
  return (
    <Panel title={text.cluster.kubeconfig}>
      <p>{text.cluster.kubeconfigHelp}</p>
      <Copyable content={command} label={text.cluster.kubeconfig} />
    </Panel>
  );
}

function pathOf(cluster: Cluster): string {
  return objectPath(CLUSTERS, namespaceOf(cluster), nameOf(cluster));
}

function Actions({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const name = nameOf(cluster);
  const can = useRights(namespaceOf(cluster));
  if (cluster.metadata?.deletionTimestamp) return <span>{text.cluster.deleting}</span>;
  return (
    <>
      {can('patch', 'clusters', name) && <SurveyNow cluster={cluster} />}
      {can('delete', 'clusters', name) && (
        <Delete path={pathOf(cluster)} name={name} typed to="/clusters">
          <Code text={cluster.spec?.provider === 'Imported' ? text.cluster.deleteImported : text.cluster.deleteMade} />
        </Delete>
      )}
    </>
  );
}

function SurveyNow({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const [asked, setAsked] = useState(false);
  const { error, run } = useAttempt();
  const survey = async (): Promise<void> => {
    await ask(pathOf(cluster), 'survey');
    setAsked(true);
  };
  return (
    <>
      {error && <ErrorLine error={error} />}
      {asked && <span role="status">{text.cluster.surveyAsked}</span>}
      <Button variant="outline" onClick={() => void run(survey)}>
        {text.cluster.survey}
      </Button>
    </>
  );
}
