// Whose objects are looked at: those of a managed cluster, through the gateway, or Groundplane's own.

import { useParams } from 'react-router';
import { member } from '../api/member';
import { useRights } from '../api/session';
import { linkTo } from '../parts/links';
import { useChoices } from '../text';

export interface KindAddress {
  group: string;
  version: string;
  plural: string;
}

export interface Site {
  /** What is in front of the paths of its API. */
  base: string;
  /** What is in front of the addresses of its pages. */
  link: string;
  name: string;
  /** The namespace that its lists are about; "" for all. */
  namespace: string;
  /** The kind that is shown first. */
  first: KindAddress;
  own: boolean;
  may: (verb: string, kind: KindAddress, object: string) => boolean;
}

/** The site of the page's address; `inside` is the namespace of the object that is looked at. */
export function useSite(inside = ''): Site {
  const { namespace: chosen, text } = useChoices();
  const { namespace, name = '' } = useParams();
  const own = namespace === undefined;
  const can = useRights(own ? inside || chosen || 'default' : namespace);
  if (own) {
    return {
      base: '',
      link: '/objects',
      name: text.product,
      namespace: chosen,
      first: { group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'rolebindings' },
      own,
      may: (verb, { group, plural }, object) => can(verb, plural, object, group),
    };
  }
  return {
    base: member(namespace, name),
    link: `${linkTo('clusters', namespace, name)}/resources`,
    name,
    namespace: '',
    first: { group: '', version: 'v1', plural: 'pods' },
    own,
    may: (verb) => can(verb, 'clusters/proxy', name),
  };
}

/** The address of a kind's list; "-" stands for the core group. */
export function kindLink(site: Site, kind: KindAddress): string {
  return [site.link, ...[kind.group || '-', kind.version, kind.plural].map(encodeURIComponent)].join('/');
}
