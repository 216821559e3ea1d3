// An object as YAML, to be read and copied.

import type { ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Button } from './Button';
import { ApiError, send } from '../api/http';
import { useText } from '../text';
import { Loading, Problem } from './Notice';

/** `version`: the object's resourceVersion, so that another one is fetched. */
export function Yaml({ path, version }: { path: string; version: string }): ReactNode {
  const text = useText();
  const { data, error } = useQuery({
    queryKey: ['yaml', path, version],
    queryFn: async () => (await send(path, { accept: 'application/yaml' })).text(),
    placeholderData: (before) => before,
  });
  if (error instanceof ApiError) return <Problem error={error} what={text.cluster.yaml} />;
  return data === undefined ? <Loading /> : <Copyable content={data} label={text.cluster.yaml} />;
}

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
