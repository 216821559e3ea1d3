// What is in a managed cluster, or in Groundplane itself, kind by kind, in the columns that its API has for it.

import type { ReactNode } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { ApiError } from '../api/http';
import type { Kind } from '../api/member';
import { kindPath, useKinds } from '../api/member';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import { useText } from '../text';
import type { Text } from '../text/en';
import { KindTable } from './KindTable';
import type { KindAddress, Site } from './site';
import { kindLink, useSite } from './site';

type Group = keyof Text['groups'] & ('workloads' | 'services' | 'config' | 'storage' | 'cluster' | 'others');

/** What most people look for, by what it is for; everything else is among the others. */
const GROUPS: [Group, string[]][] = [
  ['workloads', ['pods', 'deployments', 'statefulsets', 'daemonsets', 'jobs', 'cronjobs', 'replicasets']],
  ['services', ['services', 'ingresses', 'networkpolicies', 'endpointslices', 'ingressclasses']],
  ['config', ['configmaps', 'secrets', 'serviceaccounts', 'horizontalpodautoscalers', 'poddisruptionbudgets']],
  ['storage', ['persistentvolumeclaims', 'persistentvolumes', 'storageclasses']],
  ['cluster', ['nodes', 'namespaces', 'events', 'resourcequotas', 'limitranges']],
  ['others', []],
];

export function Resources(): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const site = useSite();
  const { group, version, plural } = useParams();
  const { data: kinds, error } = useKinds(site.base);
  if (error instanceof ApiError) return <Problem error={error} what={text.resources.all} member={!site.own} />;
  if (!kinds) return <Loading />;
  const asked = plural ? { group: group === '-' ? '' : (group ?? ''), version: version ?? '', plural } : site.first;
  const chosen = kinds.find((one) => kindKey(one) === kindKey(asked));
  const shown = groupOf(asked.plural);
  return (
    <>
      <Groups site={site} kinds={kinds} current={shown} />
      <div className="table-bar">
        <label className="beside">
          {text.resources.kind}
          <select
            className="field"
            value={kindKey(asked)}
            onChange={(event) => {
              const kind = kinds.find((one) => kindKey(one) === event.target.value);
              if (kind) void navigate(kindLink(site, kind));
            }}
          >
            {kindsIn(kinds, shown).map((kind) => (
              <option key={kindKey(kind)} value={kindKey(kind)}>
                {kind.group ? `${kind.kind} (${kind.group})` : kind.kind}
              </option>
            ))}
          </select>
        </label>
      </div>
      {chosen ? (
        <KindTable
          key={kindKey(chosen)}
          site={site}
          kind={chosen}
          path={kindPath(site.base, chosen, chosen.namespaced ? site.namespace : '')}
          label={chosen.plural}
          empty={text.resources.empty}
          exportName={chosen.plural}
        />
      ) : (
        <Notice title={text.resources.notServed} />
      )}
    </>
  );
}

/** Leads to the first kind of each group that is served. */
function Groups({ site, kinds, current }: { site: Site; kinds: Kind[]; current: Group }): ReactNode {
  const { groups } = useText();
  return (
    <nav className="tabs" aria-label={groups.label}>
      <ul>
        {GROUPS.map(([group]) => {
          const [first] = kindsIn(kinds, group);
          return (
            first && (
              <li key={group}>
                <Link
                  to={kindLink(site, first)}
                  className={group === current ? 'active' : ''}
                  aria-current={group === current ? 'page' : undefined}
                >
                  {groups[group]}
                </Link>
              </li>
            )
          );
        })}
      </ul>
    </nav>
  );
}

function groupOf(plural: string): Group {
  return GROUPS.find(([, plurals]) => plurals.includes(plural))?.[0] ?? 'others';
}

/** The kinds of a group: the usual ones in the order of the group, then by name. */
function kindsIn(kinds: Kind[], group: Group): Kind[] {
  const plurals = GROUPS.find(([name]) => name === group)?.[1] ?? [];
  return kinds
    .filter(({ plural }) => groupOf(plural) === group)
    .sort(
      (one, other) => plurals.indexOf(one.plural) - plurals.indexOf(other.plural) || one.kind.localeCompare(other.kind),
    );
}

/** Groundplane's own objects of every kind, such as roles and who has them. */
export function OwnObjects(): ReactNode {
  const text = useText();
  return (
    <Page title={text.menu.objects}>
      <Resources />
    </Page>
  );
}

function kindKey({ group, version, plural }: KindAddress): string {
  return `${group}/${version}/${plural}`;
}
