// What is around every page: the dark bar on top, the menu on the left, and where the content is.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { NavLink, Outlet } from 'react-router';
import { Button } from './Button';
import { useAboutRights } from '../api/about';
import { useAccountRights } from '../api/accounts';
import type { Session } from '../api/session';
import { useSignOut } from '../api/session';
import type { Language, Theme } from '../text';
import { LANGUAGES, THEMES, useChoices } from '../text';

const PAGES = [
  ['/', 'overview'],
  ['/clusters', 'clusters'],
  ['/machines', 'machines'],
  ['/foundations', 'foundations'],
  ['/operations', 'operations'],
  ['/distributions', 'distributions'],
  ['/objects', 'objects'],
] as const;

export function Shell({ session }: { session: Session }): ReactNode {
  const { text } = useChoices();
  const [open, setOpen] = useState(false);
  const pages = [
    ...PAGES.map(([to, name]): [string, string] => [to, text.menu[name]]),
    ...useAccountPages(),
    ...useAboutPages(),
  ];
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {text.skip}
      </a>
      <header className="top">
        <button
          type="button"
          className="top-menu"
          aria-expanded={open}
          aria-controls="menu"
          onClick={() => {
            setOpen(!open);
          }}
        >
          <span aria-hidden="true">☰</span> <span className="hidden">{text.menu.open}</span>
        </button>
        <span className="top-name">{text.product}</span>
        <span className="table-space" />
        <Namespace />
        <Choosers />
        <User session={session} />
      </header>
      <nav id="menu" className={open ? 'menu menu-open' : 'menu'} aria-label={text.menu.label}>
        <ul>
          {pages.map(([to, title]) => (
            <li key={to}>
              <NavLink
                to={to}
                end={to === '/'}
                onClick={() => {
                  setOpen(false);
                }}
              >
                {title}
              </NavLink>
            </li>
          ))}
        </ul>
      </nav>
      <main id="content" className="content" tabIndex={-1}>
        <Outlet />
      </main>
    </div>
  );
}

/** Pages that are there for who may do what they are for. */
function useAccountPages(): [string, string][] {
  const { text } = useChoices();
  const may = useAccountRights();
  const pages: [string, string][] = [];
  if (may('list', 'users')) pages.push(['/accounts', text.accounts.title]);
  else if (may('list', 'tokens')) pages.push(['/accounts/tokens', text.accounts.title]);
  if (may('list', 'auditevents')) pages.push(['/audit', text.audit.title]);
  return pages;
}

/** What Groundplane knows, and how it is set; everybody has settings of the console. */
function useAboutPages(): [string, string][] {
  const { text } = useChoices();
  const may = useAboutRights();
  const known: [string, string][] = may('catalogtables') ? [['/catalog', text.catalog.title]] : [];
  return [...known, ['/settings', text.settings.title]];
}

/** Whoever may see one namespace only has to say which. */
function Namespace(): ReactNode {
  const { text, namespace, setNamespace } = useChoices();
  const [{ written, of }, setState] = useState({ written: namespace, of: namespace });
  const setWritten = (next: string): void => {
    setState({ written: next, of: namespace });
  };
  // It may be chosen elsewhere too.
  if (of !== namespace) setWritten(namespace);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setNamespace(written.trim());
      }}
    >
      <input
        className="chooser"
        aria-label={text.columns.namespace}
        placeholder={text.top.allNamespaces}
        value={written}
        onChange={(event) => {
          setWritten(event.target.value);
        }}
        onBlur={() => {
          setNamespace(written.trim());
        }}
      />
    </form>
  );
}

export function Choosers(): ReactNode {
  const { text, language, setLanguage, theme, setTheme } = useChoices();
  return (
    <>
      <select
        className="chooser"
        aria-label={text.top.language}
        value={language}
        onChange={(event) => {
          setLanguage(event.target.value as Language);
        }}
      >
        {LANGUAGES.map(([each, title]) => (
          <option key={each} value={each}>
            {title}
          </option>
        ))}
      </select>
      <select
        className="chooser"
        aria-label={text.top.theme}
        value={theme}
        onChange={(event) => {
          setTheme(event.target.value as Theme);
        }}
      >
        {THEMES.map((each) => (
          <option key={each} value={each}>
            {text.top[each]}
          </option>
        ))}
      </select>
    </>
  );
}

function User({ session }: { session: Session }): ReactNode {
  const { text } = useChoices();
  const signOut = useSignOut();
  return (
    <>
      <span className="top-user" title={session.groups.join(', ')}>
        <span className="hidden">{text.top.signedInAs(session.user)}</span>
        <span aria-hidden="true">{session.user}</span>
      </span>
      <Button className="top-out" variant="text" onClick={() => void signOut()}>
        {text.top.signOut}
      </Button>
    </>
  );
}
