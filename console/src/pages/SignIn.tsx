// Signing in by name and password or by token. The page's address stays, so that one is where one was.

import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { Button } from '../parts/Button';
import { useSignIn } from '../api/session';
import { Code } from '../parts/Notice';
import { Choosers } from '../parts/Shell';
import { useAttempt } from '../parts/attempt';
import { useText } from '../text';

type Way = 'password' | 'token';

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
