// YAML to be written: CodeMirror, loaded when it is first needed. Where the API describes the kind, its fields are offered with
// what they mean.

import type { CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { yaml } from '@codemirror/lang-yaml';
import { EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { basicSetup } from 'codemirror';
import type { ReactNode } from 'react';
import { useEffect, useRef } from 'react';
import type { Kinds, Schema } from '../api/schema';
import { placeIn, schemaAt } from '../api/schema';
import { nonce } from './nonce';

interface Props {
  label: string;
  /** What stands there first; later changes of it are not taken. */
  content: string;
  change: (content: string) => void;
  /** What the fields are, once it is known. */
  kinds?: Kinds | null;
}

export function Editor({ label, content, change, kinds = null }: Props): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const first = useRef({ content, change });
  const known = useRef(kinds);
  useEffect(() => {
    known.current = kinds;
  }, [kinds]);
  useEffect(() => {
    if (!place.current) return;
    // One function for as long as the editor is there: CodeMirror knows its offers by who makes them.
    const source = (at: CompletionContext): CompletionResult | null => offered(at, known.current);
    const view = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: first.current.content,
        extensions: [
          basicSetup,
          yaml(),
          EditorState.languageData.of(() => [{ autocomplete: source }]),
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

/** The fields that may stand at a place, or the values of the one that is written. */
function offered(at: CompletionContext, kinds: Kinds | null): CompletionResult | null {
  const word = at.matchBefore(/[\w./-]*/);
  if (!kinds || !word || (word.from === word.to && !at.explicit)) return null;
  const { path, key } = placeIn(at.state.sliceDoc(0, at.pos));
  const schema = schemaAt(kinds, key === null ? path : [...path, key]);
  if (!schema) return null;
  const options = key === null ? fieldsOf(schema) : valuesOf(schema);
  return options.length > 0 ? { from: word.from, options, validFor: /^[\w./-]*$/ } : null;
}

function fieldsOf({ properties = {} }: Schema): CompletionResult['options'] {
  return Object.entries(properties).map(([label, { type = '', description = '' }]) => ({
    label,
    type: 'property',
    apply: `${label}: `,
    detail: type,
    info: description,
  }));
}

function valuesOf({ type, enum: values = [] }: Schema): CompletionResult['options'] {
  const known = type === 'boolean' ? ['true', 'false'] : values.map(String).filter(Boolean);
  return known.map((label) => ({ label, type: 'enum' }));
}
