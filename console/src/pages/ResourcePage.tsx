// One object of a managed cluster, or of Groundplane itself: its YAML to be read and changed, and what happened to it; of a
// pod also its log and a terminal, of a workload its pods and its earlier states.

import type { ReactNode } from 'react';
import { Suspense, lazy, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useParams } from 'react-router';
import { ApiError, json } from '../api/http';
import { itemPath } from '../api/member';
import type { Workload } from '../api/rollouts';
import { hasHistory } from '../api/rollouts';
import { podShell } from '../api/shells';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { PodLog } from '../parts/PodLog';
import { Tabs } from '../parts/Tabs';
import { Delete } from '../parts/Verbs';
import { Yaml } from '../parts/Yaml';
import { useText } from '../text';
import type { KindAddress, Site } from './site';
import { kindLink, useSite } from './site';
import { Events } from './Events';
import { WorkloadActions } from './WorkloadActions';
import { History, PodsOf } from './WorkloadParts';

const Terminal = lazy(async () => ({ default: (await import('../parts/Terminal')).Terminal }));

interface Found extends Workload {
  spec?: Workload['spec'] & { initContainers?: { name: string }[] };
}

export function ResourcePage(): ReactNode {
  const text = useText();
  const where = useWhere();
  const { data, error } = useQuery({
    queryKey: ['object', where.path],
    queryFn: () => json<Found>(where.path),
    refetchOnMount: 'always',
  });
  if (error instanceof ApiError) {
    if (error.code === 404) return <Notice title={text.resources.gone} />;
    return <Problem error={error} what={text.resources.all} member={!where.site.own} />;
  }
  if (!data) return <Loading />;
  return (
    <Page
      title={where.object}
      above={{ to: where.list, title: `${where.site.name}: ${where.kind.plural}` }}
      actions={
        <>
          {where.may('patch') && <WorkloadActions kind={where.kind} path={where.path} object={data} />}
          {where.may('delete') && (
            <Delete path={where.path} name={where.object} to={where.list}>
              <p>{text.resources.deleteText(where.kind.plural, where.object, where.site.name)}</p>
            </Delete>
          )}
        </>
      }
    >
      <Tabs
        label={text.cluster.tabs}
        tabs={partsOf(where).map((part) => ({
          to: part === 'yaml' ? where.self : `${where.self}/${part}`,
          title: text.parts[part],
          end: part === 'yaml',
        }))}
      />
      <Part where={where} object={data} />
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

type PartName = 'yaml' | 'log' | 'terminal' | 'pods' | 'history' | 'events';

/** The parts that the page of an object has. */
function partsOf({ site, kind, may }: Where): PartName[] {
  const parts: PartName[] = ['yaml'];
  if (!site.own && kind.group === '' && kind.plural === 'pods') {
    parts.push('log');
    if (may('create')) parts.push('terminal');
  }
  if (!site.own && (kind.group === 'apps' || kind.plural === 'jobs')) parts.push('pods');
  if (kind.group === 'apps' && hasHistory(kind.plural)) parts.push('history');
  if (kind.plural !== 'events') parts.push('events');
  return parts;
}

function Part({ where, object }: { where: Where; object: Found }): ReactNode {
  const text = useText();
  const { site, kind, path } = where;
  const part = partsOf(where).find((each) => each === (where.part || 'yaml'));
  switch (part) {
    case 'yaml':
      return <Yaml path={path} mayEdit={where.may('update')} />;
    case 'log':
    case 'terminal':
      return <Inside path={path} pod={object} part={part} />;
    case 'pods':
      return <PodsOf site={site} workload={object} />;
    case 'history':
      return <History site={site} path={path} plural={kind.plural} workload={object} mayChange={where.may('patch')} />;
    case 'events':
      return (
        <Events
          base={site.base}
          kind={object.kind ?? ''}
          namespace={object.metadata?.namespace ?? ''}
          name={where.object}
        />
      );
    default:
      return <Notice title={text.notFound} />;
  }
}

/** A pod's log or a terminal in it, container by container. */
function Inside({ path, pod, part }: { path: string; pod: Found; part: 'log' | 'terminal' }): ReactNode {
  const text = useText();
  const [chosen, choose] = useState('');
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].map(({ name }) => name);
  const container = chosen || (containers[0] ?? '');
  if (!container) return <Notice title={text.notFound} />;
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
      {part === 'log' && <PodLog key={container} path={path} container={container} />}
      {part === 'terminal' && (
        <Suspense fallback={<Loading />}>
          <Terminal key={container} address={podShell(path, container)} />
        </Suspense>
      )}
    </>
  );
}
