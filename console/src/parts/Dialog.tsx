// The browser's own dialog, which keeps the keyboard inside: open for as long as it is there.

import type { ReactNode } from 'react';
import { useEffect, useId, useRef } from 'react';
import { useText } from '../text';
import { Button } from './Button';

interface Props {
  title: string;
  children: ReactNode;
  close: () => void;
  wide?: boolean;
}

export function Dialog({ title, children, close, wide = false }: Props): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} className={wide ? 'dialog dialog-wide' : 'dialog'} aria-labelledby={heading} onClose={close}>
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}

/** One that is only read. */
export function ReadDialog({ title, children, close }: Omit<Props, 'wide'>): ReactNode {
  const text = useText();
  return (
    <Dialog title={title} close={close} wide>
      {children}
      <div className="dialog-buttons">
        <Button theme="primary" onClick={close}>
          {text.dialog.close}
        </Button>
      </div>
    </Dialog>
  );
}
