// TDesign's button, which stays a button for the keyboard and for screen readers when it is disabled.

import type { ComponentProps, ReactNode } from 'react';
import { Button as TButton } from 'tdesign-react/es/button';

export function Button(properties: ComponentProps<typeof TButton>): ReactNode {
  return <TButton tag="button" {...properties} />;
}
