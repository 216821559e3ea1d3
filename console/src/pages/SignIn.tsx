// Signing in by name and password, by token, or at an issuer. The page's address stays, so that one is where one was.

import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { useSearchParams } from 'react-router';
import { Button } from '../parts/Button';
import { useOidcWay, useSignIn } from '../api/session';
import { Code } from '../parts/Notice';
import { Choosers } from '../parts/Shell';
import { useAttempt } from '../parts/attempt';
import { useText } from '../text';
import type { Text } from '../text/en';
import { en } from '../text/en';

type Way = 'password' | 'token';
type Reason = keyof Text['oidc']['failed'];

const REASONS = Object.keys(en.oidc.failed) as Reason[];

export function SignIn(): ReactNode {
  const text = useText();
  const [way, setWay] = useState<Way>('password');
  useEffect(() => {
    document.title = `${text.signIn.submit} · ${text.product}`;
  }, [text]);
  return (
    <div className="sign-in">
      <header className="sign-in-top">
        <Choosers />
      </header>
      <main className="sign-in-card">
        <h1>{text.signIn.title}</h1>
        <AtIssuer />
        <div className="ways" role="group">
          {(['password', 'token'] as const).map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={way === each}
              onClick={() => {
                setWay(each);
              }}
            >
              {each === 'password' ? text.signIn.withPassword : text.signIn.withToken}
            </button>
          ))}
        </div>
        <Form key={way} way={way} />
      </main>
    </div>
  );
}

/** Signing in at the issuer that the server knows, if there is one; and why the last attempt led back here. */
function AtIssuer(): ReactNode {
  const text = useText();
  const oidc = useOidcWay();
  const reason = useReason();
  const to = location.pathname + location.search;
  return (
    <>
      {reason && (
        <p className="error-line" role="alert">
          {text.oidc.failed[reason]}
        </p>
      )}
      {oidc && (
        <>
          <a
            className="t-button t-button--theme-primary t-button--variant-base link-button sign-in-issuer"
            href={`${oidc.url}?${new URLSearchParams({ to }).toString()}`}
          >
            <span className="t-button__text">{text.oidc.signIn(oidc.name)}</span>
          </a>
          <p className="sign-in-or">{text.oidc.or}</p>
        </>
      )}
    </>
  );
}

/** The word that the server left in the address; it is said once, and is no part of where one was. */
function useReason(): Reason | null {
  const [parameters, setParameters] = useSearchParams();
  const [reason] = useState(() => REASONS.find((each) => each === parameters.get('sign-in')) ?? null);
  const there = parameters.has('sign-in');
  useEffect(() => {
    if (!there) return;
    const change = (from: URLSearchParams): URLSearchParams => {
      from.delete('sign-in');
      return from;
    };
    setParameters(change, { replace: true });
  }, [there, setParameters]);
  return reason;
}

function Form({ way }: { way: Way }): ReactNode {
  const text = useText();
  const signIn = useSignIn();
  const [fields, setFields] = useState({ user: '', password: '', token: '' });
  const { busy, error, run } = useAttempt();
  const submit = (): Promise<void> => {
    const { user, password, token } = fields;
    return signIn(way === 'token' ? { token: token.trim() } : { user, password });
  };
  const field = (name: keyof typeof fields, label: string, type: string, complete: string): ReactNode => (
    <label className="labelled">
      {label}
      <input
        className="field"
        type={type}
        name={name}
        value={fields[name]}
        autoComplete={complete}
        required
        onChange={(event) => {
          setFields({ ...fields, [name]: event.target.value });
        }}
      />
    </label>
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(submit);
      }}
    >
      {way === 'password' && field('user', text.signIn.user, 'text', 'username')}
      {way === 'password' && field('password', text.signIn.password, 'password', 'current-password')}
      {way === 'token' && field('token', text.signIn.token, 'password', 'off')}
      {error && (
        <p className="error-line" role="alert">
          {error.code === 429 ? text.signIn.wait : error.message}
        </p>
      )}
      <Button type="submit" theme="primary" block loading={busy}>
        {text.signIn.submit}
      </Button>
      <Code text={way === 'token' ? text.signIn.tokenHelp : text.signIn.passwordHelp} />
    </form>
  );
}
