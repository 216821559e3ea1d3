// A shell in a container or on a machine: xterm.js on a WebSocket that speaks Kubernetes' remote command protocol (v4.channel.k8s.io): the
// first byte of a message is its channel.

import { FitAddon } from '@xterm/addon-fit';
import { Terminal as XTerm } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import type { Ending } from '../api/shells';
import { endingOf } from '../api/shells';
import { Button } from './Button';
import './nonce';
import { useText } from '../text';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const PROTOCOL = 'v4.channel.k8s.io';

interface Props {
  /** Where the shell is opened, see api/shells. */
  address: string;
}

export function Terminal({ address }: Props): ReactNode {
  const { terminal: words } = useText();
  const place = useRef<HTMLDivElement>(null);
  const [ended, setEnded] = useState<Ending | null>(null);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (!place.current) return;
    return connected(place.current, `wss://${location.host}${address}`, setEnded);
  }, [address, attempt]);
  return (
    <>
      {ended && (
        <p className="banner" role="status">
          {'code' in ended ? words.closed(ended.code) : ended.why || words.lost}{' '}
          <Button
            variant="outline"
            onClick={() => {
              setEnded(null);
              setAttempt(attempt + 1);
            }}
          >
            {words.again}
          </Button>
        </p>
      )}
      <div className="terminal" ref={place} role="region" aria-label={words.title} />
    </>
  );
}

/** Open a terminal in `place` on the socket; returns how to end both. */
function connected(place: HTMLElement, address: string, over: (ending: Ending) => void): () => void {
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
  let ending: Ending = { why: '' };
  socket.onopen = () => {
    fit.fit();
    size();
    terminal.focus();
  };
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    const [channel] = new Uint8Array(data, 0, 1);
    const rest = new Uint8Array(data, 1);
    if (channel === STDOUT || channel === STDERR) terminal.write(rest);
    if (channel === ERROR) ending = endingOf(new TextDecoder().decode(rest));
  };
  socket.onclose = () => {
    over(ending);
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
