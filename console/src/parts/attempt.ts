// Something that is asked of the server by a button: busy while it lasts, and what was wrong with it.

import { useRef, useState } from 'react';
import { ApiError } from '../api/http';

export interface Attempt {
  busy: boolean;
  error: ApiError | null;
  /** Do it. It stays busy when it went well, for the page is about to change, unless it can be done `again`. */
  run: (work: () => Promise<unknown>, options?: { again?: boolean }) => Promise<void>;
}

export function useAttempt(): Attempt {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run: Attempt['run'] = async (work, { again = false } = {}) => {
    setBusy(true);
    setError(null);
    try {
      await work();
      if (again) setBusy(false);
    } catch (problem) {
      setBusy(false);
      if (!(problem instanceof ApiError)) throw problem;
      setError(problem);
    }
  };
  return { busy, error, run };
}

/** Do something that is known by its content, unless it was done on this page before. */
export function useOnce(): (what: unknown, work: () => Promise<unknown>) => Promise<void> {
  const done = useRef(new Set<string>());
  return async (what, work) => {
    const known = JSON.stringify(what);
    if (done.current.has(known)) return;
    await work();
    done.current.add(known);
  };
}
