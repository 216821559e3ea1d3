// The live list against a server that is told what to answer, request by request.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveList } from '../src/api/watch';

type Answer = { status?: number; body?: unknown; events?: unknown[]; cut?: boolean };

let answers: Answer[] = [];
let asked: string[] = [];

beforeEach(() => {
  answers = [];
  asked = [];
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (call: () => void) => setTimeout(call, 1));
  vi.stubGlobal('cancelAnimationFrame', clearTimeout);
  vi.stubGlobal('fetch', (path: string, { signal }: { signal: AbortSignal }) => {
    if (signal.aborted) return Promise.reject(new DOMException('aborted', 'AbortError'));
    asked.push(path);
    const answer = answers.shift();
    // Nothing more to say: a request that is never answered.
    return answer ? Promise.resolve(response(answer)) : new Promise(() => undefined);
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function response({ status = 200, body, events, cut }: Answer): Response {
  if (!events) return new Response(JSON.stringify(body), { status });
  const stream = new ReadableStream({
    start(controller) {
      for (const event of events) controller.enqueue(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
      if (cut) {
        setTimeout(() => {
          controller.error(new Error('cut'));
        }, 1);
      } else if (cut === false) controller.close();
    },
  });
  return new Response(stream, { status });
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
  const stop = live.subscribe(() => undefined);
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
  live.subscribe(() => undefined);
  expect(await names(live)).toEqual(['z']);
  expect(live.read().error).toBeNull();
});

test('a cut watch shows what was known and says so until it is back', async () => {
  answers = [list('5', 'a'), { events: [], cut: true }, { status: 503, body: { message: 'down' } }, { events: [] }];
  const live = new LiveList('/x');
  const seen: number[] = [];
  live.subscribe(() => seen.push(live.read().error?.code ?? 200));
  expect(await names(live)).toEqual(['a']);
  expect(seen).toContain(503);
  expect(seen.at(-1)).toBe(200);
  expect(asked.filter((path) => !path.includes('?'))).toHaveLength(1);
});

test('who has no right is not asked for again', async () => {
  answers = [{ status: 403, body: { reason: 'Forbidden', message: 'no' } }, list('5', 'a')];
  const live = new LiveList('/x');
  live.subscribe(() => undefined);
  expect(await names(live)).toEqual([]);
  expect(live.read().error?.message).toBe('no');
  expect(asked).toHaveLength(1);
});

test('a page that nobody sees lets go of its watch, and goes on from there when it is seen', async () => {
  answers = [list('5', 'a'), { events: [{ type: 'ADDED', object: object('b', '6') }] }];
  const live = new LiveList('/x');
  live.subscribe(() => undefined);
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
  rows.subscribe(() => undefined);
  expect(await names(rows)).toEqual(['a']);
  const one = new LiveList('/x?fieldSelector=metadata.name%3Da');
  one.subscribe(() => undefined);
  expect(await names(one)).toEqual(['a']);
  expect(asked.filter((path) => !path.includes('watch'))).toEqual([
    '/x?omitManagedFields=true',
    '/x?fieldSelector=metadata.name%3Da',
  ]);
});

test('nobody who looks, no watch', async () => {
  answers = [list('5', 'a')];
  const live = new LiveList('/x');
  live.subscribe(() => undefined)();
  await names(live);
  expect(asked).toHaveLength(1);
});
