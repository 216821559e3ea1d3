// The parts of a page, each with an address of its own.

import type { ReactNode } from 'react';
import { NavLink } from 'react-router';

export interface Tab {
  to: string;
  title: string;
  end?: boolean;
}

export function Tabs({ label, tabs }: { label: string; tabs: Tab[] }): ReactNode {
  return (
    <nav className="tabs" aria-label={label}>
      <ul>
        {tabs.map(({ to, title, end = false }) => (
          <li key={to}>
            <NavLink to={to} end={end} replace>
              {title}
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}
