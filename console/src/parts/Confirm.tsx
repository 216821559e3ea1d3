// Asks before something happens, and names what will.

import type { ReactNode } from 'react';
import { useId, useState } from 'react';
import { Button } from './Button';
import { Dialog } from './Dialog';
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
  const field = useId();
  const [given, setGiven] = useState('');
  const { busy, error, run } = useAttempt();
  return (
    <Dialog title={title} close={close}>
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
    </Dialog>
  );
}
