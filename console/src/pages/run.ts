// A run of unify: whether one is under way, and what begins another.

import type { Foundation, Unify, UnifyWindow } from '../api/kinds';
import { BadLine, linesOf, wordsOf } from '../api/written';
import { countOf } from './wish';

const OVER = ['Succeeded', 'Incomplete', 'Cancelled'];

/** Whether a run has begun that is not over. */
export function underWay({ spec, status }: Foundation): boolean {
  const wish = spec?.unify;
  if (!wish?.run || !wish.state) return false;
  return status?.unify?.run !== wish.run || !OVER.includes(status.unify.phase ?? '');
}

export interface RunWish {
  approval: 'Once' | 'PerWave';
  waves: string;
  maxClusters: string;
  maxFailures: string;
  windows: string;
}

export function runWishOf(unify: Unify = {}): RunWish {
  return {
    approval: unify.approval ?? 'Once',
    waves: (unify.waves ?? [1, '10%', '100%']).join(', '),
    maxClusters: String(unify.maxClusters ?? 5),
    maxFailures: String(unify.maxFailures ?? 0),
    windows: (unify.windows ?? []).map(windowText).join('\n'),
  };
}

/** What is written to begin a run; `run` is its name, which no other run had. Throws BadLine. */
export function beginning(wish: RunWish, run: string): { spec: { unify: Unify } } {
  return {
    spec: {
      unify: {
        run,
        state: 'Running',
        approval: wish.approval,
        approvedWave: 0,
        cancelOperations: false,
        waves: wordsOf(wish.waves).map(countOf),
        maxClusters: Number(wish.maxClusters),
        maxFailures: Number(wish.maxFailures),
        windows: windowsOf(wish.windows),
      },
    },
  };
}

type Day = NonNullable<UnifyWindow['days']>[number];

const DAYS: Day[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const WINDOW = /^(?:([A-Za-z,]+)\s+)?(\d{1,2}:\d{2})\s+([\dhms.]+)(?:\s+(\S+))?$/;

/** Windows as they are written in the form, one for each line: "Sat,Sun 22:00 4h Europe/Berlin"; throws BadLine. */
export function windowsOf(text: string): UnifyWindow[] {
  return linesOf(text).map((line) => {
    const match = WINDOW.exec(line);
    if (!match) throw new BadLine(line);
    const [, days = '', start = '', duration = '', timeZone] = match;
    const named = days.split(',').filter(Boolean);
    const known = named.map((day) => DAYS.find((each) => each.toLowerCase() === day.slice(0, 3).toLowerCase()));
    if (known.some((day) => day === undefined)) throw new BadLine(line);
    return { days: known as Day[], start, duration, ...(timeZone ? { timeZone } : {}) };
  });
}

function windowText({ days = [], start = '22:00', duration = '4h', timeZone = 'UTC' }: UnifyWindow): string {
  return [days.join(','), start, duration, timeZone].filter(Boolean).join(' ');
}
