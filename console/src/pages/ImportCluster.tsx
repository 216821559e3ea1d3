// A cluster that exists: its kubeconfig is pasted or chosen as a file, looked at here, and only what belongs to the chosen
// context is sent.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { json } from '../api/http';
import { useLive } from '../api/live';
import { CLUSTERS, FOUNDATIONS, listPath, nameOf, namespaceOf } from '../api/resources';
import { Button } from '../parts/Button';
import { Choice, Field, TextField, fieldsOf } from '../parts/Form';
import { ErrorLine } from '../parts/Notice';
import { Facts, Page, Panel } from '../parts/Page';
import { useAttempt } from '../parts/attempt';
import { linkTo } from '../parts/links';
import { useChoices, useText } from '../text';
import type { Context } from './kubeconfig';
import { NotKubeconfig, contextsOf, onlyContext } from './kubeconfig';

interface Wanted {
  config: string;
  context: string;
  namespace: string;
  name: string;
  foundation: string;
}

const FIRST: Wanted = { config: '', context: '', namespace: 'default', name: '', foundation: '' };

export function ImportCluster(): ReactNode {
  const text = useText();
  const navigate = useNavigate();
  const words = text.importCluster;
  const { namespace: chosenNamespace } = useChoices();
  const [wanted, setWanted] = useState({ ...FIRST, namespace: chosenNamespace || 'default' });
  const { busy, error, run } = useAttempt();
  const { contexts, wrong } = found(wanted.config);
  const chosen = contexts.find(({ name }) => name === wanted.context) ?? contexts[0];
  const submit = async (): Promise<void> => {
    if (!chosen) return;
    await take({ ...wanted, context: chosen.name });
    await navigate(linkTo('clusters', wanted.namespace, wanted.name));
  };
  return (
    <Page title={words.title} above={{ to: '/clusters', title: text.clusters.title }}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void run(submit);
        }}
      >
        <Source wanted={wanted} change={setWanted} wrong={wrong ? words.notOne : undefined} />
        {chosen && <Preview contexts={contexts} chosen={chosen} wanted={wanted} change={setWanted} />}
        {error && <ErrorLine error={error} />}
        <Button type="submit" theme="primary" loading={busy} disabled={!chosen || chosen.problem !== ''}>
          {words.submit}
        </Button>
      </form>
    </Page>
  );
}

function found(config: string): { contexts: Context[]; wrong: boolean } {
  if (!config.trim()) return { contexts: [], wrong: false };
  try {
    return { contexts: contextsOf(config), wrong: false };
  } catch (error) {
    if (!(error instanceof NotKubeconfig)) throw error;
    return { contexts: [], wrong: true };
  }
}

/** Make the Secret and the Cluster. A Secret without its Cluster is taken back: nobody would know of it. */
async function take({ config, context, namespace, name, foundation }: Wanted): Promise<void> {
  const secrets = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
  const secret = `${name}-kubeconfig`;
  const stringData = { kubeconfig: onlyContext(config, context) };
  const type = 'groundplane.dev/kubeconfig';
  await json(secrets, {
    method: 'POST',
    body: { apiVersion: 'v1', kind: 'Secret', type, metadata: { name: secret }, stringData },
  });
  const foundationRef = foundation ? { foundationRef: { name: foundation } } : {};
  const spec = { provider: 'Imported', kubeconfigRef: { name: secret }, ...foundationRef };
  try {
    await json(listPath(CLUSTERS, namespace), {
      method: 'POST',
      body: { apiVersion: 'groundplane.dev/v1alpha1', kind: 'Cluster', metadata: { name }, spec },
    });
  } catch (error) {
    await json(`${secrets}/${encodeURIComponent(secret)}`, { method: 'DELETE' });
    throw error;
  }
}

interface SourceProps {
  wanted: Wanted;
  change: (wanted: Wanted) => void;
  wrong: string | undefined;
}

function Source({ wanted, change, wrong }: SourceProps): ReactNode {
  const words = useText().importCluster;
  return (
    <Panel title={words.source}>
      <Field label={words.file}>
        {(attributes) => (
          <input
            {...attributes}
            type="file"
            onChange={(event) => {
              void event.target.files?.[0]?.text().then((config) => {
                change({ ...wanted, config, context: '' });
              });
            }}
          />
        )}
      </Field>
      <TextField
        label={words.paste}
        help={words.pasteHelp}
        lines={8}
        value={wanted.config}
        change={(config) => {
          change({ ...wanted, config, context: '' });
        }}
        wrong={wrong}
      />
    </Panel>
  );
}

interface PreviewProps {
  contexts: Context[];
  chosen: Context;
  wanted: Wanted;
  change: (wanted: Wanted) => void;
}

function Preview({ contexts, chosen, wanted, change }: PreviewProps): ReactNode {
  const text = useText();
  const words = text.importCluster;
  const foundations = useLive(FOUNDATIONS).items.filter((one) => namespaceOf(one) === wanted.namespace);
  const field = fieldsOf(wanted, (part) => {
    change({ ...wanted, ...part });
  });
  const wrong = chosen.problem ? words.problems[chosen.problem](chosen.field) : undefined;
  return (
    <Panel title={words.what}>
      <Choice
        label={words.context}
        {...field('context')}
        value={chosen.name}
        wrong={wrong}
        options={contexts.map(({ name }) => ({ value: name, title: name }))}
      />
      <Facts
        of={[
          [text.cluster.endpoint, chosen.server || text.state.none],
          [words.login, chosen.login || text.state.none],
        ]}
      />
      <TextField label={text.columns.name} {...field('name')} required />
      <TextField label={text.columns.namespace} {...field('namespace')} required />
      <Choice
        label={text.columns.foundation}
        help={words.foundationHelp}
        {...field('foundation')}
        options={[
          { value: '', title: text.state.none },
          ...foundations.map((one) => ({ value: nameOf(one), title: nameOf(one) })),
        ]}
      />
    </Panel>
  );
}
