// How many nodes stand on a Foundation, over time.

import type { ReactNode } from 'react';
import { Suspense, lazy, useMemo } from 'react';
import type { UniformityPoint } from '../api/kinds';
import { Loading } from '../parts/Notice';
import { Panel } from '../parts/Page';
import { useText } from '../text';

const Chart = lazy(async () => ({ default: (await import('../parts/Chart')).Chart }));

export function UniformityOverTime({ points }: { points: UniformityPoint[] }): ReactNode {
  const { foundationForm: words, overview } = useText();
  const shown = useMemo(() => points.map(({ time, uniform = 0 }) => ({ time, value: uniform })), [points]);
  const last = points.at(-1);
  if (points.length < 2 || !last) return null;
  const most = Math.max(1, ...points.map(({ nodes = 0 }) => nodes));
  return (
    <Panel title={words.uniformityOverTime}>
      <Suspense fallback={<Loading />}>
        <Chart
          label={`${words.uniformityOverTime}: ${overview.uniformNodes(last.uniform ?? 0, last.nodes ?? 0)}`}
          points={shown}
          most={most}
        />
      </Suspense>
    </Panel>
  );
}
