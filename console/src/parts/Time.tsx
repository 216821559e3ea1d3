// A moment: how long ago it was, with the exact local time on hover and for who cannot hover.

import type { ReactNode } from 'react';
import { useSyncExternalStore } from 'react';
import type { Language } from '../text';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';

const SECOND = 1000;
const STEP = 10 * SECOND;

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((each) => {
      each();
    });
  }, STEP);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The present moment in milliseconds, some seconds old at most. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export function Age({ of }: { of: string | undefined }): ReactNode {
  const text = useText();
  const { language } = useChoices();
  const present = useNow();
  if (!of) return text.state.none;
  return (
    <time dateTime={of} title={localTime(of, language, { dateStyle: 'medium', timeStyle: 'long' })}>
      {span(Math.max(0, present - new Date(of).getTime()), text)}
    </time>
  );
}

/** A moment in the reader's own time, as the chosen language writes it. */
export function localTime(moment: string, language: Language, style?: Intl.DateTimeFormatOptions): string {
  const english = navigator.languages.find((each) => each.startsWith('en')) ?? 'en';
  return new Date(moment).toLocaleString(language === 'zh' ? 'zh-CN' : english, style);
}

/** A length of time as its largest unit, as kubectl shows ages. */
export function span(milliseconds: number, text: Text): string {
  const seconds = Math.floor(milliseconds / SECOND);
  if (seconds < 120) return text.time.seconds(seconds);
  if (seconds < 7200) return text.time.minutes(Math.floor(seconds / 60));
  if (seconds < 172_800) return text.time.hours(Math.floor(seconds / 3600));
  return text.time.days(Math.floor(seconds / 86_400));
}
