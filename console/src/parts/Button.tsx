// TDesign's button, which stays a button for the keyboard and for screen readers when it is disabled.

import type { ComponentProps, ReactNode } from 'react';
import { Link } from 'react-router';
import { Button as TButton } from 'tdesign-react/es/button';

export function Button(properties: ComponentProps<typeof TButton>): ReactNode {
  return <TButton tag="button" {...properties} />;
}

/** A link that looks like a button: it leads somewhere, and can be opened in another tab. */
export function LinkButton({ to, children }: { to: string; children: ReactNode }): ReactNode {
  return (
    <Link className="t-button t-button--theme-primary t-button--variant-base link-button" to={to}>
      <span className="t-button__text">{children}</span>
    </Link>
  );
}
