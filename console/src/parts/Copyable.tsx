// Text to be read and copied.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { Button } from './Button';
import { useText } from '../text';

export function Copyable({ content, label }: { content: string; label: string }): ReactNode {
  const text = useText();
  const [copied, setCopied] = useState(false);
  return (
    <div className="copyable">
      <Button
        variant="outline"
        size="small"
        onClick={() => {
          void navigator.clipboard.writeText(content).then(() => {
            setCopied(true);
          });
        }}
      >
        {copied ? text.yaml.copied : text.yaml.copy}
      </Button>
      {/* What scrolls has to be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} role="region" aria-label={label}>
        {content}
      </pre>
    </div>
  );
}
