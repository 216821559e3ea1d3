// One live copy of a list: listed once, then kept by a watch, listed anew when the server has forgotten where we were.
// Whoever looks is told at most once a frame, however many events came. A list comes as Tables, in the columns that the
// server has for its kind, unless the whole objects are wanted: a fleet's are hundreds of megabytes.

import { ApiError, json, send } from './http';
import type { Obj } from './resources';
import { keyOf } from './resources';

export interface Snapshot<T> {
  items: T[];
  /** Of a list that comes as Tables. */
  columns: TableColumn[];
  /** Whether the list has come at least once. */
  ready: boolean;
  /** What is wrong now; what is shown then is what was known before. */
  error: ApiError | null;
}

export interface TableColumn {
  name: string;
  type: string;
  /** Above 0: for who wants to see more. */
  priority: number;
}

/** A row of a Table. */
export interface TableRow extends Obj {
  cells: (string | number | boolean | null)[];
}

interface Table {
  metadata?: { resourceVersion?: string };
  columnDefinitions?: TableColumn[];
  rows?: { cells: TableRow['cells']; object: Obj }[];
}

const AS_TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

interface ListOf<T> {
  metadata: { resourceVersion: string };
  items: T[];
}

interface Event<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T & { code?: number; message?: string; reason?: string };
}

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

export class LiveList<T extends Obj> {
  private readonly objects = new Map<string, T>();
  private readonly listeners = new Set<() => void>();
  private snapshot: Snapshot<T> = { items: [], columns: [], ready: false, error: null };
  private ending: AbortController | null = null;
  private seen = true;
  private frame = 0;
  private wait = FIRST_WAIT;
  /** The version that the copy has; "" before the first list. */
  private from = '';

  constructor(
    private readonly path: string,
    private readonly form: 'objects' | 'table' = 'objects',
  ) {}

  readonly read = (): Snapshot<T> => this.snapshot;

  /** Keep the copy alive for as long as somebody is subscribed and sees the page. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    this.start();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.stop();
    };
  };

  /** Let go of the connection while nobody can see the page, and go on from there when somebody can. */
  readonly setSeen = (seen: boolean): void => {
    this.seen = seen;
    if (!seen) this.stop();
    else if (this.listeners.size > 0) this.start();
  };

  private start(): void {
    if (this.ending || !this.seen) return;
    this.ending = new AbortController();
    void this.run(this.ending.signal);
  }

  private stop(): void {
    this.ending?.abort();
    this.ending = null;
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    // What came since the last frame is known, and is not told again.
    this.snapshot = { ...this.snapshot, items: [...this.objects.values()] };
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (!this.from) await this.list(signal);
        await this.follow(signal);
      } catch (error) {
        if (!(error instanceof ApiError)) {
          if (ended(signal)) return;
          throw error;
        }
        if (error.code === 410) this.from = '';
        else if (!(await this.mayGoOn(error, signal))) return;
      }
    }
  }

  /** Show what is wrong and wait; false when there is nothing to wait for. */
  private async mayGoOn(error: ApiError, signal: AbortSignal): Promise<boolean> {
    this.show({ error });
    if (error.code === 401 || error.code === 403) return false;
    await pause(this.wait, signal);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    return true;
  }

  private async list(signal: AbortSignal): Promise<void> {
    const list = await json<ListOf<T> & Table>(this.address({}), { signal, ...this.accept() });
    this.objects.clear();
    const items = this.form === 'table' ? (rowsOf(list) as unknown as T[]) : list.items;
    for (const item of items) this.objects.set(keyOf(item), item);
    this.show({ ready: true, error: null, columns: list.columnDefinitions ?? [] });
    this.from = list.metadata.resourceVersion;
  }

  /** Follow until the watch ends by itself. */
  private async follow(signal: AbortSignal): Promise<void> {
    const query = { watch: '1', resourceVersion: this.from, allowWatchBookmarks: 'true' };
    const response = await send(this.address(query), { signal, lasting: true, ...this.accept() });
    if (this.snapshot.error) this.show({ error: null });
    for await (const line of lines(response, signal)) {
      const event = JSON.parse(line) as Event<T>;
      if (event.type === 'ERROR') {
        throw new ApiError(event.object.code ?? 500, event.object.reason ?? '', event.object.message ?? '');
      }
      this.wait = FIRST_WAIT;
      const found = this.form === 'table' ? (rowsOf(event.object) as unknown as T[]) : [event.object];
      for (const item of found) this.take(event.type, item);
    }
  }

  private take(type: Event<T>['type'], item: T): void {
    this.from = item.metadata?.resourceVersion ?? this.from;
    if (type === 'BOOKMARK') return;
    if (type === 'DELETED') this.objects.delete(keyOf(item));
    else this.objects.set(keyOf(item), item);
    this.show({});
  }

  private address(asked: Record<string, string>): string {
    const query = new URLSearchParams(asked);
    // They are most of what is known of an object beside its cells, and are never shown.
    if (this.form === 'table') query.set('omitManagedFields', 'true');
    if (query.size === 0) return this.path;
    // A path may have selectors of its own.
    return `${this.path}${this.path.includes('?') ? '&' : '?'}${query.toString()}`;
  }

  private accept(): { accept?: string } {
    return this.form === 'table' ? { accept: AS_TABLE } : {};
  }

  private show(change: Partial<Snapshot<T>>): void {
    this.snapshot = { ...this.snapshot, ...change };
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.snapshot = { ...this.snapshot, items: [...this.objects.values()] };
      this.listeners.forEach((listener) => {
        listener();
      });
    });
  }
}

function rowsOf(table: Table): TableRow[] {
  return (table.rows ?? []).map(({ cells, object }) => ({ ...object, cells }));
}

/** The lines of an answer as they come; a cut connection is an ApiError. */
export async function* lines(response: Response, signal: AbortSignal): AsyncGenerator<string> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        // A log may end without a line end.
        if (rest) yield rest;
        return;
      }
      const parts = (rest + value).split('\n');
      rest = parts.pop() ?? '';
      yield* parts.filter(Boolean);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError(0, 'Cut', String(error));
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function ended(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Wait; shorter when the signal comes. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
