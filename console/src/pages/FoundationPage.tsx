// One Foundation: how uniform its clusters are, which of them differ and where, and what it says, to be changed.

import type { ReactNode } from 'react';
import { useParams } from 'react-router';
import type { Cluster, FeatureDecision } from '../api/kinds';
import { useLive, useOne } from '../api/live';
import { CLUSTERS, FOUNDATIONS, keyOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { LinkButton } from '../parts/Button';
import { Conditions } from '../parts/Conditions';
import { Meters } from '../parts/Meters';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { ObjectLink, linkTo } from '../parts/links';
import { Yaml } from '../parts/Yaml';
import { useText } from '../text';
import { Events } from './Events';
import { UniformityOverTime } from './UniformityOverTime';
import { UnifyPanel } from './UnifyPanel';

const DIMENSIONS = ['OperatingSystem', 'Kernel', 'Settings', 'Distribution', 'Version', 'Runtime', 'Network'];

export function FoundationPage(): ReactNode {
  const text = useText();
  const { namespace = '', name = '' } = useParams();
  const { item, ready, error } = useOne(FOUNDATIONS, namespace, name);
  const can = useRights(namespace);
  const clusters = useLive(CLUSTERS, namespace).items.filter((one) => one.spec?.foundationRef?.name === name);
  if (!item) {
    if (error) return <Problem error={error} what={text.foundations.all} />;
    return ready ? <Notice title={text.foundations.gone} /> : <Loading />;
  }
  const path = objectPath(FOUNDATIONS, namespace, name);
  return (
    <Page
      title={name}
      above={{ to: '/foundations', title: text.foundations.title }}
      actions={
        can('patch', 'foundations', name) && (
          <LinkButton to={`${linkTo('foundations', namespace, name)}/edit`}>{text.foundationForm.editOpen}</LinkButton>
        )
      }
    >
      {error && <Problem error={error} what={text.foundations.all} />}
      <div className="columns">
        <Panel title={text.overview.uniformity}>
          <Meters of={item.status?.uniformity?.dimensions ?? []} />
        </Panel>
        <Panel title={text.cluster.conditions}>
          <Conditions of={item.status?.conditions} />
        </Panel>
      </div>
      <UniformityOverTime points={item.status?.history ?? []} />
      <Panel title={text.clusters.title}>
        <Matrix clusters={clusters} />
      </Panel>
      <Features of={item.status?.features ?? []} />
      <UnifyPanel foundation={item} clusters={clusters} />
      <Panel title={text.events.title}>
        <Events base="" kind="Foundation" namespace={namespace} name={name} />
      </Panel>
      <Panel title={text.cluster.yaml}>
        <Yaml path={path} mayEdit={can('update', 'foundations', name)} />
      </Panel>
    </Page>
  );
}

/** Each cluster by dimension: where it differs, and to what. */
function Matrix({ clusters }: { clusters: Cluster[] }): ReactNode {
  const text = useText();
  if (clusters.length === 0) return <p>{text.foundations.noClusters}</p>;
  return (
    <table className="table plain">
      <thead>
        <tr>
          <th scope="col">{text.columns.name}</th>
          {DIMENSIONS.map((dimension) => (
            <th key={dimension} scope="col">
              {text.dimensions[dimension]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {clusters.map((cluster) => (
          <tr key={keyOf(cluster)}>
            <th scope="row">
              <ObjectLink kind="clusters" object={cluster} />
            </th>
            {DIMENSIONS.map((dimension) => (
              <td key={dimension}>
                <Cell cluster={cluster} dimension={dimension} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Whether the wanted network features can be had, and which nodes are in the way. */
function Features({ of }: { of: FeatureDecision[] }): ReactNode {
  const text = useText();
  const words = text.foundationForm;
  if (of.length === 0) return null;
  return (
    <Panel title={words.featureState}>
      <table className="table plain">
        <thead>
          <tr>
            <th scope="col">{words.feature}</th>
            <th scope="col">{text.columns.state}</th>
            <th scope="col">{words.needs}</th>
            <th scope="col">{text.cluster.on}</th>
          </tr>
        </thead>
        <tbody>
          {of.map(({ feature, state = 'Unknown', needs, message, blockers }) => (
            <tr key={feature}>
              <th scope="row">{feature}</th>
              <td>
                <Status state={state} />
              </td>
              <td>{needs}</td>
              <td>
                {(blockers?.names ?? []).join(', ')}
                {message && <p className="step-message">{message}</p>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function Cell({ cluster, dimension }: { cluster: Cluster; dimension: string }): ReactNode {
  const text = useText();
  const assessment = cluster.status?.assessment;
  if (!assessment) return <Status state="Unknown" />;
  const drift = (assessment.drift ?? []).find((one) => one.dimension === dimension);
  if (!drift) return <Status state="Uniform" word={text.columns.uniform} />;
  return (
    <Status
      state={drift.severity ?? 'Low'}
      word={`${drift.found ?? ''} → ${drift.wanted ?? ''} (${drift.nodes?.count ?? 0})`}
    />
  );
}
