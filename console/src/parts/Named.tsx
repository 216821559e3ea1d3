// What the server names in English: beside the reader's own word for it, for the server's is what one searches for.

import type { ReactNode } from 'react';

interface Props {
  /** The reader's word; none when the language has no other than the server's. */
  own: string | undefined;
  server: string;
}

export function Named({ own, server }: Props): ReactNode {
  if (own === undefined) return server;
  return (
    <>
      {own}{' '}
      <span className="server-name" lang="en">
        {server}
      </span>
    </>
  );
}
