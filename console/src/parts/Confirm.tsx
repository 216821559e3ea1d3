// Asks before something happens, and names what will. The browser's own dialog keeps the keyboard inside.

import type { ReactNode } from 'react';
import { useEffect, useId, useRef, useState } from 'react';
import { Button } from './Button';
import { ApiError } from '../api/http';
import { useText } from '../text';
import { ErrorLine } from './Notice';

interface Props {
  title: string;
  children: ReactNode;
  /** What has to be typed before it can be confirmed. */
  typed?: string;
  action: string;
  danger?: boolean;
  perform: () => Promise<unknown>;
  close: () => void;
}

export function Confirm({ title, children, typed = '', action, danger = false, perform, close }: Props): ReactNode {
  const text = useText();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const field = useId();
  const [given, setGiven] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const run = async (): Promise<void> => {
    setBusy(true);
    try {
      await perform();
      close();
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={heading} onClose={close}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <h2 id={heading}>{title}</h2>
        {children}
        {typed && (
          <>
            <label htmlFor={field}>{text.cluster.typeName(typed)}</label>
            <input
              id={field}
              className="field"
              value={given}
              autoComplete="off"
              onChange={(event) => {
                setGiven(event.target.value);
              }}
            />
          </>
        )}
        {error && <ErrorLine error={error} />}
        <div className="dialog-buttons">
          <Button variant="outline" type="button" onClick={close}>
            {text.dialog.cancel}
          </Button>
          <Button type="submit" theme={danger ? 'danger' : 'primary'} disabled={given !== typed} loading={busy}>
            {action}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
