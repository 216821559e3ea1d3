// Forms: a label, what it is for, and what is wrong with it. The server says what is wrong, before anything is made.

import type { ReactNode } from 'react';
import { useEffect, useId, useState } from 'react';
import { ApiError, UNREACHABLE, json } from '../api/http';
import type { Cause } from '../api/http';

interface FieldProps {
  label: string;
  help?: string;
  /** What is wrong with it. */
  wrong?: string | undefined;
  children: (attributes: FieldAttributes) => ReactNode;
}

export interface FieldAttributes {
  id: string;
  className: string;
  'aria-describedby'?: string;
  'aria-invalid'?: true;
}

export function Field({ label, help, wrong, children }: FieldProps): ReactNode {
  const id = useId();
  const described = [help && `${id}-help`, wrong && `${id}-wrong`].filter(Boolean).join(' ');
  const attributes: FieldAttributes = {
    id,
    className: 'field',
    ...(described ? { 'aria-describedby': described } : {}),
    ...(wrong ? { 'aria-invalid': true } : {}),
  };
  return (
    <div className="labelled">
      <label htmlFor={id}>{label}</label>
      {children(attributes)}
      {help && (
        <span id={`${id}-help`} className="field-help">
          {help}
        </span>
      )}
      {wrong && (
        <span id={`${id}-wrong`} className="field-wrong">
          {wrong}
        </span>
      )}
    </div>
  );
}

interface TextProps extends Omit<FieldProps, 'children'> {
  value: string;
  change: (value: string) => void;
  type?: 'text' | 'password' | 'number';
  lines?: number;
  required?: boolean;
  readOnly?: boolean;
  placeholder?: string;
}

export function TextField({
  value,
  change,
  type = 'text',
  lines = 1,
  required = false,
  readOnly = false,
  placeholder,
  ...field
}: TextProps): ReactNode {
  const more = { value, required, readOnly, ...(placeholder === undefined ? {} : { placeholder }) };
  return (
    <Field {...field}>
      {(attributes) =>
        lines > 1 ? (
          <textarea
            {...attributes}
            {...more}
            rows={lines}
            spellCheck={false}
            onChange={(event) => {
              change(event.target.value);
            }}
          />
        ) : (
          <input
            {...attributes}
            {...more}
            type={type}
            autoComplete="off"
            onChange={(event) => {
              change(event.target.value);
            }}
          />
        )
      }
    </Field>
  );
}

interface ChoiceProps extends Omit<FieldProps, 'children'> {
  value: string;
  change: (value: string) => void;
  options: { value: string; title: string; disabled?: boolean }[];
}

export function Choice({ value, change, options, ...field }: ChoiceProps): ReactNode {
  return (
    <Field {...field}>
      {(attributes) => (
        <select
          {...attributes}
          value={value}
          onChange={(event) => {
            change(event.target.value);
          }}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value} disabled={option.disabled}>
              {option.title}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

type TextOf<T> = { [K in keyof T]: T[K] extends string ? K : never }[keyof T];

/** Gives value and change of a field by its name; `change` is told the field that is another one now. */
export function fieldsOf<T extends object>(
  of: T,
  change: (part: Partial<T>) => void,
): (name: TextOf<T>) => { value: string; change: (value: string) => void } {
  return (name) => ({
    value: of[name] as string,
    change: (value) => {
      change({ [name]: value } as Partial<T>);
    },
  });
}

const QUIET = 400;

/**
 * What the server finds wrong with an object that is not made, or with a merge patch that is not made: asked when nobody
 * has typed for a moment. Without an object nothing is asked, and what was wrong stays.
 */
export function useDryRun(path: string, object: unknown, method: 'POST' | 'PATCH' = 'POST'): Cause[] {
  const [causes, setCauses] = useState<Cause[]>([]);
  const body = object === null ? null : JSON.stringify(object);
  useEffect(() => {
    if (body === null) return;
    const ending = new AbortController();
    const timer = setTimeout(() => {
      void asked(path, body, method, ending.signal).then((found) => {
        if (found) setCauses(found);
      });
    }, QUIET);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [path, body, method]);
  return causes;
}

async function asked(path: string, body: string, method: string, signal: AbortSignal): Promise<Cause[] | null> {
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  try {
    await json(`${path}?dryRun=All&fieldValidation=Strict`, { method, contentType, body, signal });
    return [];
  } catch (error) {
    if (signal.aborted) return null;
    if (!(error instanceof ApiError)) throw error;
    // No answer says nothing about the object; whoever sends it is told.
    if (error.code === UNREACHABLE) return null;
    return error.causes.length > 0 ? error.causes : [{ message: error.message }];
  }
}

/** What is wrong with one field of the object, or with a part of it; the others' causes are not its. */
export function wrongWith(causes: Cause[], field: string): string | undefined {
  return causes.find(isOf(field))?.message;
}

/** The causes that none of these fields says itself. */
export function otherThan(known: string[], causes: Cause[]): Cause[] {
  return causes.filter((cause) => !known.some((field) => isOf(field)(cause)));
}

/** "spec.hosts" has the parts "spec.hosts.name" and "spec.hosts[0]"; "spec.hostsFile" is another field. */
function isOf(field: string): (cause: Cause) => boolean {
  return ({ field: at = '' }) => at === field || at.startsWith(`${field}.`) || at.startsWith(`${field}[`);
}

interface OtherProps {
  causes: Cause[];
  /** The fields that say themselves what is wrong with them. */
  known: string[];
}

/** What is wrong with the whole, or with what the form has no field for. */
export function OtherCauses({ causes, known }: OtherProps): ReactNode {
  return otherThan(known, causes).map(({ field = '', message }) => (
    <p key={`${field}${message ?? ''}`} className="error-line" role="alert">
      {[field, message].filter(Boolean).join(': ')}
    </p>
  ));
}
