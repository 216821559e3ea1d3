// How uniform a fleet is, dimension by dimension.

import type { ReactNode } from 'react';
import type { DimensionShare } from '../api/kinds';
import { useText } from '../text';

export function Meters({ of }: { of: DimensionShare[] }): ReactNode {
  const text = useText();
  return (
    <ul className="meters">
      {of.map(({ dimension, uniform = 0, nodes = 0 }) => (
        <li key={dimension}>
          <span>{text.dimensions[dimension] ?? dimension}</span>
          <meter
            min={0}
            max={Math.max(nodes, 1)}
            value={uniform}
            aria-label={text.dimensions[dimension] ?? dimension}
          />
          <span>{text.overview.uniformNodes(uniform, nodes)}</span>
        </li>
      ))}
    </ul>
  );
}
