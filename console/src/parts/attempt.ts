// Something that is asked of the server by a button: busy while it lasts, and what was wrong with it.

import { useState } from 'react';
import { ApiError } from '../api/http';

export interface Attempt {
  busy: boolean;
  error: ApiError | null;
  /** Do it. It stays busy when it went well, for the page is about to change. */
  run: (work: () => Promise<unknown>) => Promise<void>;
}

export function useAttempt(): Attempt {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (problem) {
      setBusy(false);
      if (!(problem instanceof ApiError)) throw problem;
      setError(problem);
    }
  };
  return { busy, error, run };
}
