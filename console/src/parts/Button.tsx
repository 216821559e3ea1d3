// TDesign's button, which stays a button for the keyboard and for screen readers when it is disabled.

import type { ComponentProps, ReactNode } from 'react';
import { Link } from 'react-router';
import { Button as TButton } from 'tdesign-react/es/button';

export function Button(properties: ComponentProps<typeof TButton>): ReactNode {
  return <TButton tag="button" {...properties} />;
}

interface LinkProps {
  to: string;
  /** Whether it is one way among others, and not what the page is for. */
  beside?: boolean;
  children: ReactNode;
}

/** A link that looks like a button: it leads somewhere, and can be opened in another tab. */
export function LinkButton({ to, beside = false, children }: LinkProps): ReactNode {
  const look = beside
    ? 't-button--theme-default t-button--variant-outline'
    : 't-button--theme-primary t-button--variant-base';
  return (
    <Link className={`t-button ${look} link-button`} to={to}>
      <span className="t-button__text">{children}</span>
    </Link>
  );
}
