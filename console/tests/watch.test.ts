// The live list against a server that is told what to answer, request by request.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NO_WEBSOCKET } from '../src/api/http';
import { hangUp } from '../src/api/streams';
import { LiveList } from '../src/api/watch';

type Answer = { status?: number; body?: unknown; events?: unknown[]; cut?: boolean };

let answers: Answer[] = [];
let asked: string[] = [];
const stops: (() => void)[] = [];

function follow(live: { subscribe: LiveList<object>['subscribe'] }, listener: () => void): () => void {
  const stop = live.subscribe(listener);
  stops.push(stop);
  return stop;
}

beforeEach(() => {
  answers = [];
  asked = [];
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (call: () => void) => setTimeout(call, 1));
  vi.stubGlobal('cancelAnimationFrame', clearTimeout);
  vi.stubGlobal('location', { href: 'https://gp/machines' });
  vi.stubGlobal('WebSocket', Spoken);
  vi.stubGlobal('fetch', (path: string, { signal }: { signal: AbortSignal | null }) => {
    if (signal?.aborted) return Promise.reject(new DOMException('aborted', 'AbortError'));
    asked.push(path);
    const answer = answers.shift();
    // Nothing more to say: a request that is never answered.
    return answer
      ? Promise.resolve(new Response(JSON.stringify(answer.body), { status: answer.status ?? 200 }))
      : new Promise(() => undefined);
  });
});

afterEach(async () => {
  stops.splice(0).forEach((stop) => {
    stop();
  });
  hangUp();
  await vi.advanceTimersByTimeAsync(1000);
  Spoken.refused = false;
  Spoken.open = [];
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** The server's side of the WebSocket, which answers as `answers` says. */
class Spoken {
  static readonly OPEN = 1;
  static refused = false;
  static open: Spoken[] = [];
  readyState = 0;
  onopen: () => void = () => undefined;
  onclose: (event: { reason: string }) => void = () => undefined;
  onmessage: (event: { data: string | ArrayBuffer }) => void = () => undefined;
  ended: number[] = [];

  constructor(readonly url: URL) {
    Spoken.open.push(this);
    setTimeout(() => {
      if (Spoken.refused) this.close();
      else {
        this.readyState = Spoken.OPEN;
        this.onopen();
      }
    }, 1);
  }

  close(): void {
    this.readyState = 3;
    Spoken.open = Spoken.open.filter((one) => one !== this);
    this.onclose({ reason: '' });
  }

  send(message: string): void {
    const { id, get } = JSON.parse(message) as { id: number; get?: string };
    if (get === undefined) {
      this.ended.push(id);
      return;
    }
    asked.push(get);
    const answer = answers.shift();
    if (!answer) return;
    this.say({ id, status: answer.status ?? 200 });
    for (const line of answer.events ?? [answer.body]) this.body(id, `${JSON.stringify(line)}\n`);
    if (answer.cut) {
      setTimeout(() => {
        this.say({ id, cut: true });
      }, 1);
    } else if (answer.cut === false || !answer.events) this.say({ id, end: true });
  }

  private say(what: object): void {
    this.onmessage({ data: JSON.stringify(what) });
  }

  private body(id: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const data = new Uint8Array(4 + bytes.length);
    new DataView(data.buffer).setUint32(0, id);
    data.set(bytes, 4);
    this.onmessage({ data: data.buffer });
  }
}

const object = (name: string, version: string): object => ({
  metadata: { namespace: 'default', name, resourceVersion: version },
});
const list = (version: string, ...names: string[]): Answer => ({
  body: { metadata: { resourceVersion: version }, items: names.map((name) => object(name, version)) },
});

async function names(live: LiveList<{ metadata?: { name?: string } }>): Promise<string[]> {
  await vi.advanceTimersByTimeAsync(20_000);
  return live.read().items.map((item) => item.metadata?.name ?? '');
}

test('a list is kept by events, and goes on after a watch that ended from where that was', async () => {
  answers = [
    list('5', 'a', 'b'),
    {
      events: [
        { type: 'ADDED', object: object('c', '6') },
        { type: 'BOOKMARK', object: object('', '9') },
      ],
      cut: false,
    },
    { events: [{ type: 'DELETED', object: object('a', '10') }] },
  ];
  const live = new LiveList('/x');
  const stop = follow(live, () => undefined);
  expect(await names(live)).toEqual(['b', 'c']);
  expect(asked.map((path) => new URLSearchParams(path.split('?')[1]).get('resourceVersion'))).toEqual([null, '5', '9']);
  stop();
});

test('what the server has forgotten is listed anew', async () => {
  answers = [
    list('5', 'a'),
    { events: [{ type: 'ERROR', object: { code: 410, message: 'too old' } }] },
    list('80', 'z'),
    { events: [] },
  ];
  const live = new LiveList('/x');
  follow(live, () => undefined);
  expect(await names(live)).toEqual(['z']);
  expect(live.read().error).toBeNull();
});

test('a cut watch shows what was known and says so until it is back', async () => {
  answers = [list('5', 'a'), { events: [], cut: true }, { status: 503, body: { message: 'down' } }, { events: [] }];
  const live = new LiveList('/x');
  const seen: number[] = [];
  follow(live, () => seen.push(live.read().error?.code ?? 200));
  expect(await names(live)).toEqual(['a']);
  expect(seen).toContain(503);
  expect(seen.at(-1)).toBe(200);
  expect(asked.filter((path) => !path.includes('?'))).toHaveLength(1);
});

test('who has no right is not asked for again', async () => {
  answers = [{ status: 403, body: { reason: 'Forbidden', message: 'no' } }, list('5', 'a')];
  const live = new LiveList('/x');
  follow(live, () => undefined);
  expect(await names(live)).toEqual([]);
  expect(live.read().error?.message).toBe('no');
  expect(asked).toHaveLength(1);
});

test('a page that nobody sees lets go of its watch, and goes on from there when it is seen', async () => {
  answers = [list('5', 'a'), { events: [{ type: 'ADDED', object: object('b', '6') }] }];
  const live = new LiveList('/x');
  follow(live, () => undefined);
  expect(await names(live)).toEqual(['a', 'b']);
  live.setSeen(false);
  answers = [{ events: [{ type: 'ADDED', object: object('c', '7') }] }];
  expect(await names(live)).toEqual(['a', 'b']);
  live.setSeen(true);
  expect(await names(live)).toEqual(['a', 'b', 'c']);
  expect(asked.map((path) => new URLSearchParams(path.split('?')[1]).get('resourceVersion'))).toEqual([null, '5', '6']);
});

test('a list is asked for as a table without managed fields, or by the name of the one that is wanted', async () => {
  const row = { cells: ['a', 'Ready'], object: object('a', '4') };
  const table = { metadata: { resourceVersion: '5' }, columnDefinitions: [], rows: [row] };
  answers = [{ body: table }, { events: [] }, list('5', 'a')];
  const rows = new LiveList('/x', 'table');
  follow(rows, () => undefined);
  expect(await names(rows)).toEqual(['a']);
  const one = new LiveList('/x?fieldSelector=metadata.name%3Da');
  follow(one, () => undefined);
  expect(await names(one)).toEqual(['a']);
  expect(asked.filter((path) => !path.includes('watch'))).toEqual([
    '/x?omitManagedFields=true',
    '/x?fieldSelector=metadata.name%3Da',
  ]);
});

test('nobody who looks, no watch', async () => {
  answers = [list('5', 'a')];
  const live = new LiveList('/x');
  follow(live, () => undefined)();
  await names(live);
  expect(asked).toHaveLength(1);
});

test('all that is followed goes over one connection, which is let go of when nobody follows anything', async () => {
  answers = [list('5', 'a'), list('5', 'b'), { events: [] }, { events: [] }];
  const [one, two] = [new LiveList('/x'), new LiveList('/y')];
  follow(one, () => undefined);
  follow(two, () => undefined);
  expect([await names(one), await names(two)]).toEqual([['a'], ['b']]);
  expect(Spoken.open).toHaveLength(1);
  const [socket] = Spoken.open;
  stops.splice(0).forEach((stop) => {
    stop();
  });
  await vi.advanceTimersByTimeAsync(1000);
  expect(socket?.ended).toHaveLength(2);
  expect(Spoken.open).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(Spoken.open).toEqual([]);
});

test('where no WebSocket comes through the page says so; where the session is over it is told that', async () => {
  Spoken.refused = true;
  answers = [list('5', 'a'), { body: { user: 'ada' } }, { status: 401, body: { message: 'Unauthorized' } }];
  const live = new LiveList('/x');
  const seen: string[] = [];
  follow(live, () => seen.push(live.read().error?.reason ?? String(live.read().error?.code ?? '')));
  await names(live);
  expect(asked).toEqual(['/x', '/session', '/session']);
  expect(seen).toContain(NO_WEBSOCKET);
  expect(live.read().error?.code).toBe(401);
});

test('another user has another connection', async () => {
  answers = [list('5', 'a'), { events: [] }];
  const live = new LiveList('/x');
  follow(live, () => undefined);
  await names(live);
  const [before] = Spoken.open;
  hangUp();
  await names(live);
  expect(Spoken.open).toHaveLength(1);
  expect(Spoken.open).not.toContain(before);
});
