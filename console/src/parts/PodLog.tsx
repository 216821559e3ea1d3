// The log of a container as it is written. Lines are text, whatever they hold.

import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { ApiError, send } from '../api/http';
import { lines } from '../api/watch';
import { useText } from '../text';

const MOST_LINES = 2000;

export function PodLog({ path, container }: { path: string; container: string }): ReactNode {
  const text = useText();
  const query = new URLSearchParams({ container, follow: 'true', tailLines: '500', timestamps: 'true' });
  const shown = useLines(`${path}/log?${query.toString()}`, (line) => line);
  return <Lines shown={shown} label={text.operations.log} empty={text.operations.emptyLog} />;
}

/** The last lines of a stream, each by `told`; null leaves one out. */
export function useLines(path: string, told: (line: string) => string | null): string[] {
  const [shown, setShown] = useState<string[]>([]);
  const reading = useRef(told);
  useEffect(() => {
    const ending = new AbortController();
    const add = (line: string | null): void => {
      if (line !== null) setShown((before) => [...before.slice(-MOST_LINES + 1), line]);
    };
    void (async () => {
      try {
        const response = await send(path, { signal: ending.signal, accept: '*/*', lasting: true });
        for await (const line of lines(response, ending.signal)) add(reading.current(line));
      } catch (error) {
        if (!ending.signal.aborted) add(error instanceof ApiError ? error.message : String(error));
      }
    })();
    return () => {
      ending.abort();
    };
  }, [path]);
  return shown;
}

export function Lines({ shown, label, empty }: { shown: string[]; label: string; empty: string }): ReactNode {
  const outside = useRef<HTMLPreElement>(null);
  useEffect(() => {
    outside.current?.scrollTo({ top: outside.current.scrollHeight });
  }, [shown]);
  if (shown.length === 0) return <p>{empty}</p>;
  return (
    // What scrolls has to be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <pre className="log" ref={outside} tabIndex={0} role="log" aria-label={label}>
      {shown.join('\n')}
    </pre>
  );
}
