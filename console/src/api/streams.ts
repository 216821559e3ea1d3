// Answers that last, all over one WebSocket: a browser has six connections to one server for all of its tabs, and each
// watch would take one of them. To whoever asks, it is `fetch`: the same answers, the same errors.

const PROTOCOL = 'v1.streams.groundplane.dev';
// A page that is left is followed by another, which asks again.
const IDLE = 5000;
const ID_BYTES = 4;

/** The WebSocket was refused, or nobody is there; why is not told to a page. */
export class NotOpened extends TypeError {}

interface Said {
  id: number;
  status?: number;
  end?: boolean;
  cut?: boolean;
}

interface Stream {
  answered: (response: Response) => void;
  failed: (error: unknown) => void;
  body: ReadableStreamDefaultController<Uint8Array> | null;
}

class Streams {
  private opening: Promise<WebSocket> | null = null;
  private readonly going = new Map<number, Stream>();
  private last = 0;
  private idle: ReturnType<typeof setTimeout> | undefined;

  async get(path: string, accept: string, signal: AbortSignal | null): Promise<Response> {
    signal?.throwIfAborted();
    const id = ++this.last;
    const answer = new Promise<Response>((answered, failed) => {
      this.going.set(id, { answered, failed, body: null });
    });
    // Counted as going before it waits, so that the connection is not given up meanwhile.
    clearTimeout(this.idle);
    signal?.addEventListener('abort', () => {
      this.end(id, signal.reason);
    });
    this.opening ??= this.open();
    void this.opening.then((socket) => {
      if (this.going.has(id)) socket.send(JSON.stringify({ id, get: path, accept }));
    }, ignore);
    return answer;
  }

  private open(): Promise<WebSocket> {
    const socket = new WebSocket(new URL('/streams', location.href.replace(/^http/, 'ws')), PROTOCOL);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === 'string') this.hear(JSON.parse(data) as Said);
      else this.going.get(new DataView(data).getUint32(0))?.body?.enqueue(new Uint8Array(data, ID_BYTES));
    };
    return new Promise((resolve, reject) => {
      let opened = false;
      socket.onopen = () => {
        opened = true;
        resolve(socket);
      };
      socket.onclose = ({ reason }) => {
        const error = opened ? new TypeError(reason || 'the connection was closed') : new NotOpened('no WebSocket');
        this.opening = null;
        reject(error);
        for (const id of [...this.going.keys()]) this.fail(id, error);
      };
    });
  }

  private hear({ id, status, end, cut }: Said): void {
    if (status !== undefined) this.begin(id, status);
    if (cut) this.fail(id, new TypeError('the answer was cut'));
    if (end) {
      this.going.get(id)?.body?.close();
      this.forget(id);
    }
  }

  private begin(id: number, status: number): void {
    const stream = this.going.get(id);
    if (!stream) return;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        stream.body = controller;
      },
      cancel: () => {
        this.end(id, new DOMException('not wanted any more', 'AbortError'));
      },
    });
    stream.answered(new Response(body, { status }));
  }

  /** Nobody wants it any more. */
  private end(id: number, why: unknown): void {
    if (!this.going.has(id)) return;
    void this.opening?.then((socket) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ id }));
    }, ignore);
    this.fail(id, why);
  }

  private fail(id: number, why: unknown): void {
    const stream = this.going.get(id);
    this.forget(id);
    stream?.failed(why);
    stream?.body?.error(why);
  }

  private forget(id: number): void {
    this.going.delete(id);
    if (this.going.size > 0) return;
    clearTimeout(this.idle);
    this.idle = setTimeout(() => {
      this.close();
    }, IDLE);
  }

  /** End everything that is under way; what is asked for later has a connection of its own. */
  close(): void {
    void this.opening?.then((socket) => {
      socket.close();
    }, ignore);
  }
}

/** Who waits for the answer hears of it. */
const ignore = (): undefined => undefined;

let streams = new Streams();

/** The connection is that of who opened it: another user has another one. */
export function hangUp(): void {
  streams.close();
  streams = new Streams();
}

/** A GET whose answer lasts; rejects with a TypeError when there is no connection, as `fetch` does. */
export function stream(path: string, accept: string, signal: AbortSignal | null): Promise<Response> {
  return streams.get(path, accept, signal);
}
