// A shell in a container: xterm.js on a WebSocket that speaks Kubernetes' remote command protocol (v4.channel.k8s.io): the
// first byte of a message is its channel.

import { FitAddon } from '@xterm/addon-fit';
import { Terminal as XTerm } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import './nonce';
import { useText } from '../text';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const PROTOCOL = 'v4.channel.k8s.io';
// A shell if there is a good one, else the plain one.
const SHELL = ['sh', '-c', 'command -v bash >/dev/null && exec bash || exec sh'];

interface Props {
  /** The pod's path. */
  path: string;
  container: string;
}

export function Terminal({ path, container }: Props): ReactNode {
  const text = useText();
  const place = useRef<HTMLDivElement>(null);
  const [ended, setEnded] = useState<{ why: string } | null>(null);
  useEffect(() => {
    if (!place.current) return;
    return connected(place.current, url(path, container), (why) => {
      setEnded({ why });
    });
  }, [path, container]);
  return (
    <>
      {ended && (
        <p className="banner" role="status">
          {ended.why || text.terminal.closed}
        </p>
      )}
      <div className="terminal" ref={place} role="region" aria-label={text.terminal.title} />
    </>
  );
}

function url(path: string, container: string): string {
  const query = new URLSearchParams({ container, stdin: 'true', stdout: 'true', tty: 'true' });
  for (const word of SHELL) query.append('command', word);
  return `wss://${location.host}${path}/exec?${query.toString()}`;
}

/** Open a terminal in `place` on the socket; returns how to end both. */
function connected(place: HTMLElement, address: string, over: (why: string) => void): () => void {
  const terminal = new XTerm({ cursorBlink: true, fontSize: 13, screenReaderMode: true });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  const socket = new WebSocket(address, PROTOCOL);
  socket.binaryType = 'arraybuffer';
  const say = (channel: number, data: string): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const bytes = new TextEncoder().encode(data);
    const message = new Uint8Array(bytes.length + 1);
    message[0] = channel;
    message.set(bytes, 1);
    socket.send(message);
  };
  const size = (): void => {
    say(RESIZE, JSON.stringify({ Width: terminal.cols, Height: terminal.rows }));
  };
  let why = '';
  socket.onopen = () => {
    fit.fit();
    size();
    terminal.focus();
  };
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    const [channel] = new Uint8Array(data, 0, 1);
    const rest = new Uint8Array(data, 1);
    if (channel === STDOUT || channel === STDERR) terminal.write(rest);
    if (channel === ERROR) why = failure(new TextDecoder().decode(rest));
  };
  socket.onclose = () => {
    over(why);
  };
  terminal.onData((data) => {
    say(STDIN, data);
  });
  terminal.onResize(size);
  const watcher = new ResizeObserver(() => {
    fit.fit();
  });
  watcher.observe(place);
  return () => {
    watcher.disconnect();
    socket.onclose = null;
    socket.close();
    terminal.dispose();
  };
}

/** What the cluster said at the end, "" when the shell just ended. */
function failure(status: string): string {
  const { status: outcome, message = '' } = JSON.parse(status) as { status?: string; message?: string };
  return outcome === 'Success' ? '' : message;
}
