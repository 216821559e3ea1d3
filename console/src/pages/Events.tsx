// What happened to one object, newest first: the events that name it, live.

import type { ReactNode } from 'react';
import { useLiveAt } from '../api/live';
import { kindPath, selected } from '../api/member';
import type { Obj } from '../api/resources';
import { keyOf } from '../api/resources';
import { Loading, Problem } from '../parts/Notice';
import { Status } from '../parts/Status';
import { Age } from '../parts/Time';
import { useText } from '../text';

interface Event extends Obj {
  type?: string;
  reason?: string;
  message?: string;
  count?: number;
  series?: { count?: number; lastObservedTime?: string };
  firstTimestamp?: string | null;
  lastTimestamp?: string | null;
  eventTime?: string | null;
}

const EVENTS = { group: '', version: 'v1', plural: 'events' };

interface Props {
  /** What is in front of the paths of the API that has the object. */
  base: string;
  kind: string;
  /** The object's namespace; "" for one without. */
  namespace: string;
  name: string;
}

export function Events({ base, kind, namespace, name }: Props): ReactNode {
  const text = useText();
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
  const { items, ready, error } = useLiveAt<Event>(selected(kindPath(base, EVENTS, namespace), { fieldSelector }));
  if (!ready) return error ? <Problem error={error} what={text.events.all} member={base !== ''} /> : <Loading />;
  if (items.length === 0) return <p>{text.events.none}</p>;
  const newest = [...items].sort((one, other) => lastOf(other).localeCompare(lastOf(one)));
  return (
    <table className="table plain">
      <thead>
        <tr>
          <th scope="col">{text.events.last}</th>
          <th scope="col">{text.events.type}</th>
          <th scope="col">{text.events.reason}</th>
          <th scope="col">{text.events.message}</th>
          <th scope="col">{text.events.count}</th>
        </tr>
      </thead>
      <tbody>
        {newest.map((event) => (
          <tr key={keyOf(event)}>
            <td>
              <Age of={lastOf(event)} />
            </td>
            <td>
              <Status
                state={event.type === 'Warning' ? 'Degraded' : 'Unknown'}
                word={text.names?.events[event.type ?? ''] ?? event.type ?? ''}
              />
            </td>
            <td>{event.reason}</td>
            <td>{event.message}</td>
            <td>{event.series?.count ?? event.count ?? 1}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function lastOf({ series, lastTimestamp, eventTime, firstTimestamp, metadata }: Event): string {
  return series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp ?? metadata?.creationTimestamp ?? '';
}
