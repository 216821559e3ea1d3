// Cordon, uncordon, and emptying a node. A cordon of an Operation is that Operation's: only it takes it away.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { merge } from '../api/ask';
import { useLiveAt } from '../api/live';
import type { Node, Pod } from '../api/pods';
import { podsOn, stays } from '../api/pods';
import { keyOf, nameOf } from '../api/resources';
import { Confirm } from '../parts/Confirm';
import { Verbs } from '../parts/Verbs';
import { useText } from '../text';
import { useDrain } from './drain';

interface Props {
  base: string;
  path: string;
  node: Node;
  mayDrain: boolean;
}

const CORDONED_BY = 'groundplane.dev/cordoned-by';

export function NodeActions({ base, path, node, mayDrain }: Props): ReactNode {
  const words = useText().node;
  const cordoned = node.spec?.unschedulable ?? false;
  const owner = node.metadata?.annotations?.[CORDONED_BY];
  if (owner !== undefined) return <span>{words.ours(owner)}</span>;
  const verbs = [cordoned ? ('uncordon' as const) : ('cordon' as const), ...(mayDrain ? ['drain' as const] : [])];
  return (
    <Verbs verbs={verbs} label={(verb) => words[verb].button}>
      {(verb, close) =>
        verb === 'drain' ? (
          <Drain base={base} path={path} node={node} close={close} />
        ) : (
          <Confirm
            title={words[verb].title(nameOf(node))}
            action={words[verb].action}
            perform={() => merge(path, { spec: { unschedulable: verb === 'cordon' } })}
            close={close}
          >
            <p>{words[verb].text}</p>
          </Confirm>
        )
      }
    </Verbs>
  );
}

function Drain({ base, path, node, close }: Omit<Props, 'mayDrain'> & { close: () => void }): ReactNode {
  const words = useText().node;
  const [unmanaged, setUnmanaged] = useState(false);
  const pods = useLiveAt<Pod>(podsOn(base, nameOf(node))).items;
  const { start, told } = useDrain(base, nameOf(node));
  const going = pods.filter((pod) => stays(pod) === '' || (unmanaged && stays(pod) === 'unmanaged'));
  const lost = pods.filter((pod) => stays(pod) === 'unmanaged');
  return (
    <Confirm
      title={words.drain.title(nameOf(node))}
      action={words.drain.action}
      danger
      perform={async () => {
        await merge(path, { spec: { unschedulable: true } });
        await start(unmanaged);
      }}
      close={close}
    >
      <p>{words.drain.text(going.length)}</p>
      {lost.length > 0 && (
        <label className="beside">
          <input
            type="checkbox"
            checked={unmanaged}
            onChange={(event) => {
              setUnmanaged(event.target.checked);
            }}
          />
          {words.drain.unmanaged(lost.map(keyOf))}
        </label>
      )}
      <ul className="bullets" aria-live="polite">
        {told.map(({ pod, why }) => (
          <li key={pod}>
            {pod}: {why || words.drain.asked}
          </li>
        ))}
      </ul>
    </Confirm>
  );
}
