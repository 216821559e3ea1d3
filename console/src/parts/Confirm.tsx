// Asks before something happens, and names what will. The browser's own dialog keeps the keyboard inside.

import type { ReactNode } from 'react';
import { useEffect, useId, useRef, useState } from 'react';
import { Button } from './Button';
import { useText } from '../text';
import { ErrorLine } from './Notice';
import { useAttempt } from './attempt';

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
  const { busy, error, run } = useAttempt();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={heading} onClose={close}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          void run(async () => {
            await perform();
            close();
          });
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
