// A state as a coloured dot and its word: never by colour alone.

import type { ReactNode } from 'react';
import { useText } from '../text';
import type { Text } from '../text/en';
import type { Column } from './Table';

type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'quiet';

const TONES: Record<string, Tone> = {
  Ready: 'good',
  Succeeded: 'good',
  Uniform: 'good',
  Available: 'good',
  Done: 'good',
  Pending: 'quiet',
  Skipped: 'quiet',
  Stale: 'quiet',
  Cancelled: 'quiet',
  Unknown: 'quiet',
  Low: 'quiet',
  Creating: 'busy',
  Changing: 'busy',
  Running: 'busy',
  Deleting: 'busy',
  Planning: 'busy',
  AwaitingApproval: 'warn',
  Planned: 'warn',
  Paused: 'warn',
  Incomplete: 'warn',
  Degraded: 'warn',
  Medium: 'warn',
  Failed: 'bad',
  High: 'bad',
  NotReady: 'bad',
  Blocked: 'bad',
};

export function Status({ state, word }: { state: string; word?: string }): ReactNode {
  const text = useText();
  return (
    <span className={`status status-${TONES[state] ?? 'quiet'}`}>
      <span className="status-dot" aria-hidden="true" />
      {word ?? wordOf(state, text)}
    </span>
  );
}

function wordOf(state: string, text: Text): string {
  return text.phases[state] ?? text.severities[state] ?? words(state);
}

/** A column of states: exported as the API calls them, found by what is shown as well. */
export function stateColumn<T>(key: string, title: string, state: (row: T) => string, text: Text): Column<T> {
  return {
    key,
    title,
    value: state,
    word: (row) => wordOf(state(row), text),
    cell: (row) => <Status state={state(row)} />,
  };
}

/** "AwaitingApproval" as words. */
export function words(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
}
