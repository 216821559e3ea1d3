// YAML to be written: CodeMirror, loaded when it is first needed.

import { yaml } from '@codemirror/lang-yaml';
import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { basicSetup } from 'codemirror';
import type { ReactNode } from 'react';
import { useEffect, useRef } from 'react';
import { nonce } from './nonce';

interface Props {
  label: string;
  /** What stands there first; later changes of it are not taken. */
  content: string;
  change: (content: string) => void;
}

export function Editor({ label, content, change }: Props): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const first = useRef({ content, change });
  useEffect(() => {
    if (!place.current) return;
    const view = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: first.current.content,
        extensions: [
          basicSetup,
          yaml(),
          EditorView.cspNonce.of(nonce),
          EditorView.contentAttributes.of({ 'aria-label': label }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) first.current.change(update.state.doc.toString());
          }),
        ],
      }),
    });
    return () => {
      view.destroy();
    };
  }, [label]);
  return <div className="editor" ref={place} />;
}
