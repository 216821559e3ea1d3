// Labels and taints of a Node, to be changed by who may. Those that its Machine gave it are the Machine's.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { merge } from '../api/ask';
import type { Node } from '../api/pods';
import { readable } from '../api/written';
import { Button } from '../parts/Button';
import { TextField } from '../parts/Form';
import { ErrorLine } from '../parts/Notice';
import { Panel } from '../parts/Page';
import { useAttempt } from '../parts/attempt';
import { useText } from '../text';
import { labelLines, labelPatch, labelsOf, taintLines, taintsOf } from './pairs';

interface Props {
  path: string;
  node: Node;
  mayEdit: boolean;
}

const MANAGED = ['groundplane.dev/managed-labels', 'groundplane.dev/managed-taints'];

export function NodeLabels({ path, node, mayEdit }: Props): ReactNode {
  const text = useText();
  const words = text.node;
  const before = node.metadata?.labels ?? {};
  const [labels, setLabels] = useState<string | null>(null);
  const [taints, setTaints] = useState<string | null>(null);
  const { busy, error, run } = useAttempt();
  const managed = MANAGED.some((annotation) => node.metadata?.annotations?.[annotation] !== undefined);
  const save = async (): Promise<void> => {
    const body = readable(
      () => ({
        ...(labels === null ? {} : { metadata: { labels: labelPatch(before, labelsOf(labels)) } }),
        ...(taints === null ? {} : { spec: { taints: taintsOf(taints) } }),
      }),
      words.badLine,
    );
    await merge(path, body);
    setLabels(null);
    setTaints(null);
  };
  return (
    <Panel title={words.labelsAndTaints}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run(save, { again: true });
        }}
      >
        <TextField
          label={words.labels}
          help={managed ? words.managed : words.labelsHelp}
          lines={6}
          value={labels ?? labelLines(before)}
          change={setLabels}
          readOnly={!mayEdit}
        />
        <TextField
          label={words.taints}
          help={words.taintsHelp}
          lines={3}
          value={taints ?? taintLines(node.spec?.taints)}
          change={setTaints}
          readOnly={!mayEdit}
        />
        {error && <ErrorLine error={error} />}
        {mayEdit && (
          <Button type="submit" theme="primary" loading={busy} disabled={labels === null && taints === null}>
            {text.yaml.save}
          </Button>
        )}
      </form>
    </Panel>
  );
}
