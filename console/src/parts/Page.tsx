// A page: its title, which is the tab's too, and where it is.

import type { ReactNode } from 'react';
import { useEffect } from 'react';
import { Link } from 'react-router';
import { useText } from '../text';

interface Props {
  title: string;
  /** The list that the page belongs to. */
  above?: { to: string; title: string };
  beside?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, above, beside, actions, children }: Props): ReactNode {
  const { product } = useText();
  useEffect(() => {
    document.title = `${title} · ${product}`;
  }, [title, product]);
  return (
    <>
      <header className="page-head">
        {above && (
          <Link className="page-above" to={above.to}>
            ← {above.title}
          </Link>
        )}
        <h1>{title}</h1>
        {beside}
        <span className="table-space" />
        {actions}
      </header>
      {children}
    </>
  );
}

export function Panel({ title, children }: { title: string; children: ReactNode }): ReactNode {
  return (
    <section className="panel">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** Names and values. */
export function Facts({ of }: { of: [string, ReactNode][] }): ReactNode {
  return (
    <dl className="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
