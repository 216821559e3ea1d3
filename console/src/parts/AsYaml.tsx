// Something as YAML, to be read and copied.

import type { ReactNode } from 'react';
import { stringify } from 'yaml';
import { Copyable } from './Copyable';

export function AsYaml({ of, label }: { of: unknown; label: string }): ReactNode {
  return <Copyable content={stringify(of)} label={label} />;
}
