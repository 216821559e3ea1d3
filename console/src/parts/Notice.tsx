// What stands in for a page's content: nothing there, no right, no connection, still loading.

import type { ReactNode } from 'react';
import type { ApiError } from '../api/http';
import { NO_WEBSOCKET, UNREACHABLE } from '../api/http';
import { useText } from '../text';

export function Notice({ title, next, children }: { title: string; next?: string; children?: ReactNode }): ReactNode {
  return (
    <div className="notice">
      <p className="notice-title">{title}</p>
      {next !== undefined && <Code text={next} />}
      {children}
    </div>
  );
}

/** A sentence in which what stands between backticks is to be typed. */
export function Code({ text }: { text: string }): ReactNode {
  return (
    <p className="notice-next">
      {text.split('`').map((part, index) => (index % 2 ? <code key={part}>{part}</code> : part))}
    </p>
  );
}

export function Loading(): ReactNode {
  return (
    <p className="notice" role="status">
      {useText().state.loading}
    </p>
  );
}

/** What went wrong, in the server's own words. */
interface ProblemProps {
  error: ApiError;
  what: string;
  /** Whether a managed cluster was asked: when it is away, its own message says why and what to do. */
  member?: boolean;
}

export function Problem({ error, what, member = false }: ProblemProps): ReactNode {
  const text = useText();
  if (error.code === 403) return <Notice title={text.state.forbidden(what)} next={error.message} />;
  if (member && error.code === 503) return <Notice title={text.resources.away} next={error.message} />;
  if (error.code === UNREACHABLE || error.code >= 500) {
    return (
      <p className="banner" role="alert">
        {error.reason === NO_WEBSOCKET ? text.state.noWebSocket : text.state.reconnecting}
      </p>
    );
  }
  return <ErrorLine error={error} />;
}

export function ErrorLine({ error }: { error: ApiError }): ReactNode {
  const text = useText();
  return (
    <div className="error-line" role="alert">
      <p>
        {text.state.failed} {error.code === UNREACHABLE ? text.state.unreachable : error.message}
      </p>
    </div>
  );
}
