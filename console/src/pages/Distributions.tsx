// Kinds of Kubernetes builds: where their files come from, and which releases can be installed until when.

import type { ReactNode } from 'react';
import { Link, useParams } from 'react-router';
import { useAboutRights } from '../api/about';
import type { Distribution, Release, Source } from '../api/kinds';
import { useLive, useOne } from '../api/live';
import { DISTRIBUTIONS, keyOf, nameOf, namespaceOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { Conditions } from '../parts/Conditions';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { Yaml } from '../parts/Yaml';
import { ObjectLink } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Distributions(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const { items, ready, error } = useLive(DISTRIBUTIONS, namespace);
  const may = useAboutRights();
  const known = may('catalogtables') && <Link to="/catalog/kubernetes">{text.catalog.inDistributions}</Link>;
  return (
    <Page title={text.distributions.title} actions={known}>
      {error && <Problem error={error} what={text.distributions.all} />}
      {!ready && !error && <Loading />}
      {ready && (
        <Table
          label={text.distributions.title}
          rows={items}
          columns={columns(text)}
          rowKey={keyOf}
          empty={<Notice title={text.distributions.empty} next={text.distributions.next} />}
          exportName="distributions"
        />
      )}
    </Page>
  );
}

function columns(text: Text): Column<Distribution>[] {
  const { columns: title, distributions: words } = text;
  return [
    { key: 'name', title: title.name, value: nameOf, cell: (row) => <ObjectLink kind="distributions" object={row} /> },
    { key: 'vendor', title: words.vendor, value: (row) => row.spec?.vendor ?? 'native' },
    { key: 'releases', title: words.releases, value: (row) => (row.spec?.releases ?? []).length },
    { key: 'newest', title: words.newest, value: (row) => row.spec?.releases?.at(-1)?.version ?? '' },
    {
      key: 'sources',
      title: words.sources,
      value: (row) => (row.spec?.sources ?? []).map(placeOf).join(', '),
      wide: true,
    },
    { key: 'description', title: words.description, value: (row) => row.spec?.description ?? '', wide: true },
    { key: 'namespace', title: title.namespace, value: namespaceOf, wide: true },
  ];
}

function placeOf({ type, url, path }: Source): string {
  return `${type} ${url || path || ''}`.trim();
}

export function DistributionPage(): ReactNode {
  const text = useText();
  const words = text.distributions;
  const { namespace = '', name = '' } = useParams();
  const { item, ready, error } = useOne(DISTRIBUTIONS, namespace, name);
  const can = useRights(namespace);
  if (!item) {
    if (error) return <Problem error={error} what={words.all} />;
    return ready ? <Notice title={words.gone} /> : <Loading />;
  }
  return (
    <Page title={name} above={{ to: '/distributions', title: words.title }}>
      <div className="columns">
        <Panel title={words.sources}>
          <p>{item.spec?.description}</p>
          <ul className="bullets">
            {(item.spec?.sources ?? []).map((source) => (
              <li key={placeOf(source)}>{placeOf(source)}</li>
            ))}
          </ul>
        </Panel>
        <Panel title={text.cluster.conditions}>
          <Conditions of={item.status?.conditions} />
        </Panel>
      </div>
      <Panel title={words.releases}>
        <Table
          label={words.releases}
          rows={item.spec?.releases ?? []}
          rowKey={({ version }) => version}
          columns={releaseColumns(text)}
          empty={<Notice title={words.noReleases} />}
        />
      </Panel>
      <Panel title={text.cluster.yaml}>
        <Yaml path={objectPath(DISTRIBUTIONS, namespace, name)} mayEdit={can('update', 'distributions', name)} />
      </Panel>
    </Page>
  );
}

function releaseColumns(text: Text): Column<Release>[] {
  const words = text.distributions;
  const today = new Date().toISOString().slice(0, 10);
  return [
    { key: 'version', title: text.columns.version, value: ({ version }) => version },
    {
      key: 'end',
      title: words.endOfLife,
      value: ({ endOfLife }) => endOfLife ?? '',
      cell: ({ endOfLife }) =>
        endOfLife && endOfLife < today ? <Status state="Degraded" word={words.ended(endOfLife)} /> : endOfLife,
    },
    { key: 'files', title: words.files, value: ({ artifacts }) => (artifacts ?? []).length },
    {
      key: 'architectures',
      title: text.node.architecture,
      value: ({ artifacts }) => [...new Set((artifacts ?? []).map((one) => one.architecture ?? 'amd64'))].join(', '),
    },
  ];
}
