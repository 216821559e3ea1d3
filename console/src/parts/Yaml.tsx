// An object as YAML; the editor, the largest part of the console, is loaded when one is first looked at.

import type { ComponentProps, ReactNode } from 'react';
import { Suspense, lazy } from 'react';
import { Loading } from './Notice';

const EditYaml = lazy(async () => ({ default: (await import('./EditYaml')).EditYaml }));

export function Yaml(properties: ComponentProps<typeof EditYaml>): ReactNode {
  return (
    <Suspense fallback={<Loading />}>
      <EditYaml key={properties.path} {...properties} />
    </Suspense>
  );
}
