// Links to objects, wherever they are named.

import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { nameOf, namespaceOf } from '../api/resources';
import type { Obj } from '../api/resources';

type Kind = 'clusters' | 'distributions' | 'foundations' | 'machines' | 'operations';

export function linkTo(kind: Kind, namespace: string, name: string): string {
  return `/${kind}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

export function ObjectLink({ kind, object }: { kind: Kind; object: Obj }): ReactNode {
  return <Link to={linkTo(kind, namespaceOf(object), nameOf(object))}>{nameOf(object)}</Link>;
}
