// Requests to Groundplane, on the page's own origin. The session is a cookie that no script sees; the header proves that
// a page of ours asks. Every failure is an ApiError in the server's words.

import { NotOpened, stream } from './streams';

export interface Cause {
  field?: string;
  message?: string;
}

export class ApiError extends Error {
  constructor(
    readonly code: number,
    readonly reason: string,
    message: string,
    readonly causes: Cause[] = [],
  ) {
    super(message);
  }
}

/** Code of an ApiError when there was no answer at all. */
export const UNREACHABLE = 0;
/** Reason of an ApiError when Groundplane answers, and what lasts does not come through. */
export const NO_WEBSOCKET = 'NoWebSocket';

const listeners = new Set<() => void>();

/** Call `listener` whenever the server says that there is no session (any more); returns how to stop that. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export interface Asking {
  method?: string;
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal;
  /** Of a GET: the answer goes on for as long as somebody follows it. */
  lasting?: boolean;
}

/** Send a request and return the answer; throws ApiError unless it is a success. */
export async function send(path: string, asking: Asking = {}): Promise<Response> {
  let response: Response;
  try {
    response = await (asking.lasting ? lasting(path, asking) : fetched(path, asking));
  } catch (error) {
    if (asking.signal?.aborted || error instanceof ApiError) throw error;
    throw new ApiError(UNREACHABLE, 'Unreachable', String(error));
  }
  if (!response.ok) throw await failed(response, path);
  return response;
}

function fetched(path: string, asking: Asking): Promise<Response> {
  const headers: Record<string, string> = { 'x-groundplane-csrf': '1', accept: asking.accept ?? 'application/json' };
  if (asking.body !== undefined) headers['content-type'] = asking.contentType ?? 'application/json';
  return fetch(path, {
    method: asking.method ?? 'GET',
    headers,
    body: asking.body === undefined ? null : encoded(asking.body),
    signal: asking.signal ?? null,
    credentials: 'same-origin',
    redirect: 'error',
  });
}

async function lasting(path: string, asking: Asking): Promise<Response> {
  try {
    return await stream(path, asking.accept ?? 'application/json', asking.signal ?? null);
  } catch (error) {
    if (!(error instanceof NotOpened)) throw error;
    // Why is told to a plain request; where that is answered, it is WebSockets that do not come through.
    await send('/session');
    throw new ApiError(UNREACHABLE, NO_WEBSOCKET, error.message);
  }
}

/** Send a request and return the decoded JSON. */
export async function json<T>(path: string, asking: Asking = {}): Promise<T> {
  return JSON.parse(await text(path, asking)) as T;
}

/** Send a request and return the answer's text. */
async function text(path: string, asking: Asking = {}): Promise<string> {
  const response = await send(path, asking);
  try {
    return await response.text();
  } catch (error) {
    // The answer was cut.
    if (asking.signal?.aborted) throw error;
    throw new ApiError(UNREACHABLE, 'Cut', String(error));
  }
}

function encoded(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}

interface Status {
  reason?: string;
  message?: string;
  details?: { causes?: Cause[] };
}

async function failed(response: Response, path: string): Promise<ApiError> {
  const said = await response.text().catch(() => '');
  let status: Status = {};
  try {
    status = JSON.parse(said) as Status;
  } catch {
    status = { message: said.slice(0, 300) };
  }
  // A wrong password is no lost session.
  if (response.status === 401 && path !== '/login')
    listeners.forEach((listener) => {
      listener();
    });
  const { reason = response.statusText, message = response.statusText, details } = status;
  return new ApiError(response.status, reason, message, details?.causes);
}
