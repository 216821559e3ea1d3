// One object of a managed cluster, or of Groundplane itself: its YAML to be read and changed; of a pod also its log and a terminal.

import type { ReactNode } from 'react';
import { Suspense, lazy, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from 'react-router';
import { ApiError, json } from '../api/http';
import { itemPath } from '../api/member';
import type { Obj } from '../api/resources';
import { Button } from '../parts/Button';
import { Confirm } from '../parts/Confirm';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { PodLog } from '../parts/PodLog';
import { Tabs } from '../parts/Tabs';
import { Yaml } from '../parts/Yaml';
import { useText } from '../text';
import type { KindAddress, Site } from './site';
import { kindLink, useSite } from './site';
import { WorkloadActions } from './WorkloadActions';

const Terminal = lazy(async () => ({ default: (await import('../parts/Terminal')).Terminal }));

interface Pod extends Obj {
  spec?: { containers?: { name: string }[]; initContainers?: { name: string }[]; replicas?: number };
}

export function ResourcePage(): ReactNode {
  const text = useText();
  const where = useWhere();
  const { data, error } = useQuery({
    queryKey: ['object', where.path],
    queryFn: () => json<Pod>(where.path),
    refetchOnMount: 'always',
  });
  if (error instanceof ApiError) {
    if (error.code === 404) return <Notice title={text.resources.gone} />;
    return <Problem error={error} what={text.resources.all} member={!where.site.own} />;
  }
  if (!data) return <Loading />;
  const containers = where.kind.plural === 'pods' && !where.kind.group && !where.site.own ? containersOf(data) : [];
  return (
    <Page
      title={where.object}
      above={{ to: where.list, title: `${where.site.name}: ${where.kind.plural}` }}
      actions={
        <>
          {where.may('patch') && <WorkloadActions kind={where.kind} path={where.path} object={data} />}
          <Remove where={where} />
        </>
      }
    >
      {containers.length > 0 && (
        <Tabs
          label={text.cluster.tabs}
          tabs={[
            { to: where.self, title: text.cluster.yaml, end: true },
            { to: `${where.self}/log`, title: text.operations.log },
            ...(where.may('create') ? [{ to: `${where.self}/terminal`, title: text.terminal.title }] : []),
          ]}
        />
      )}
      <Part where={where} containers={containers} />
    </Page>
  );
}

interface Where {
  site: Site;
  kind: KindAddress;
  object: string;
  part: string;
  path: string;
  list: string;
  self: string;
  may: (verb: string) => boolean;
}

function useWhere(): Where {
  const { group = '-', version = '', plural = '', inside = '-', object = '', part = '' } = useParams();
  const namespace = inside === '-' ? '' : inside;
  const site = useSite(namespace);
  const kind = { group: group === '-' ? '' : group, version, plural };
  const list = kindLink(site, kind);
  return {
    site,
    kind,
    object,
    part,
    path: itemPath(site.base, kind, namespace, object),
    list,
    self: `${list}/${inside}/${encodeURIComponent(object)}`,
    may: (verb) => site.may(verb, kind, object),
  };
}

function containersOf(pod: Pod): string[] {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].map(({ name }) => name);
}

function Part({ where, containers }: { where: Where; containers: string[] }): ReactNode {
  const text = useText();
  const [chosen, choose] = useState('');
  const container = chosen || (containers[0] ?? '');
  if (where.part === '') {
    return <Yaml path={where.path} mayEdit={where.may('update')} />;
  }
  if (!container || (where.part === 'terminal' && !where.may('create'))) return <Notice title={text.notFound} />;
  return (
    <>
      {containers.length > 1 && (
        <label className="beside">
          {text.resources.container}
          <select
            className="field"
            value={container}
            onChange={(event) => {
              choose(event.target.value);
            }}
          >
            {containers.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
      )}
      {where.part === 'log' && <PodLog key={container} path={where.path} container={container} />}
      {where.part === 'terminal' && (
        <Suspense fallback={<Loading />}>
          <Terminal key={container} path={where.path} container={container} />
        </Suspense>
      )}
    </>
  );
}

function Remove({ where }: { where: Where }): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  if (!where.may('delete')) return null;
  return (
    <>
      <Button
        theme="danger"
        variant="outline"
        onClick={() => {
          setAsking(true);
        }}
      >
        {text.cluster.delete}
      </Button>
      {asking && (
        <Confirm
          title={`${text.cluster.delete} ${where.object}`}
          danger
          action={text.dialog.confirm}
          close={() => {
            setAsking(false);
          }}
          perform={async () => {
            await json(where.path, { method: 'DELETE' });
            await navigate(where.list);
          }}
        >
          <p>{text.resources.deleteText(where.kind.plural, where.object, where.site.name)}</p>
        </Confirm>
      )}
    </>
  );
}
