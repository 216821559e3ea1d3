import type { ReactNode } from 'react';
import type { Foundation } from '../api/kinds';
import { useLive } from '../api/live';
import { FOUNDATIONS, keyOf, nameOf, namespaceOf } from '../api/resources';
import { useRights } from '../api/session';
import { LinkButton } from '../parts/Button';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { ObjectLink } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

export function Foundations(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  const { items, ready, error } = useLive(FOUNDATIONS, namespace);
  const can = useRights(namespace || 'default');
  return (
    <Page title={text.foundations.title}>
      {error && <Problem error={error} what={text.foundations.all} />}
      {!ready && !error && <Loading />}
      {ready && (
        <Table
          label={text.foundations.title}
          rows={items}
          columns={columns(text)}
          rowKey={keyOf}
          empty={<Notice title={text.foundations.empty} next={text.foundations.next} />}
          exportName="foundations"
          actions={
            can('create', 'foundations') && <LinkButton to="/foundations/new">{text.foundationForm.open}</LinkButton>
          }
        />
      )}
    </Page>
  );
}

function columns(text: Text): Column<Foundation>[] {
  const { columns: title } = text;
  return [
    { key: 'name', title: title.name, value: nameOf, cell: (row) => <ObjectLink kind="foundations" object={row} /> },
    { key: 'clusters', title: title.clusters, value: (row) => row.status?.clusters ?? 0 },
    { key: 'drift', title: title.drift, value: (row) => row.status?.drifting ?? 0 },
    { key: 'uniform', title: title.uniform, value: (row) => row.status?.uniformity?.percent ?? '' },
    { key: 'stacks', title: title.stacks, value: (row) => row.status?.uniformity?.stacks ?? 0 },
    { key: 'version', title: title.version, value: (row) => row.spec?.kubernetes?.version ?? '' },
    { key: 'runtime', title: title.runtime, value: (row) => row.spec?.runtime?.name ?? '' },
    { key: 'namespace', title: title.namespace, value: namespaceOf, wide: true },
  ];
}
