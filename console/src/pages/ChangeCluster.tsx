// What a living cluster is to be: runtime, version, Foundation, and how it is brought there. Whatever is wished here is
// planned first, and the plan is read before it is approved.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { ask, merge } from '../api/ask';
import type { Cause } from '../api/http';
import type { Cluster } from '../api/kinds';
import { useLive, useRows } from '../api/live';
import {
  CLUSTERS,
  DISTRIBUTIONS,
  FOUNDATIONS,
  OPERATIONS,
  keyOf,
  nameOf,
  namespaceOf,
  objectPath,
} from '../api/resources';
import { Button } from '../parts/Button';
import { Confirm } from '../parts/Confirm';
import { Choice, OtherCauses, TextField, fieldsOf, useDryRun, wrongWith } from '../parts/Form';
import { ErrorLine } from '../parts/Notice';
import { Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { Verbs } from '../parts/Verbs';
import { useAttempt } from '../parts/attempt';
import { ObjectLink } from '../parts/links';
import { useText } from '../text';
import type { Wish } from './wish';
import { patchOf, takesDocker, wishOf } from './wish';

export function ChangeCluster({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const words = text.change;
  const [parameters] = useSearchParams();
  const found = wishOf(cluster);
  // A link from what differs says what is wished for already.
  const [changed, setChanged] = useState<Partial<Wish>>(() => linked(parameters));
  const wish = { ...found, ...changed };
  const patch = patchOf(found, wish);
  const path = objectPath(CLUSTERS, namespaceOf(cluster), nameOf(cluster));
  const { busy, error, run } = useAttempt();
  const causes = useDryRun(path, busy ? null : (patch ?? {}), 'PATCH');
  const change = (next: Partial<Wish>): void => {
    setChanged({ ...changed, ...next });
  };
  const submit = async (): Promise<void> => {
    if (patch) await merge(`${path}?fieldValidation=Strict`, patch);
    setChanged({});
  };
  return (
    <>
      <Now cluster={cluster} />
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void run(submit, { again: true });
        }}
      >
        <Target cluster={cluster} wish={wish} change={change} causes={causes} />
        <Manner wish={wish} change={change} causes={causes} />
        <OtherCauses causes={causes} known={FIELDS} />
        {error && <ErrorLine error={error} />}
        <Button type="submit" theme="primary" loading={busy} disabled={!patch || causes.length > 0}>
          {words.submit}
        </Button>
        <p>{wish.approval === 'Automatic' ? words.runsAtOnce : words.planFirst}</p>
      </form>
      <Requests path={path} name={nameOf(cluster)} />
    </>
  );
}

const FIELDS = [
  'spec.foundationRef',
  'spec.runtime',
  'spec.kubernetes.distribution',
  'spec.kubernetes.version',
  'spec.change.maxUnavailable',
  'spec.change.drain.timeout',
];

/** The fields of a wish that the page's address names. */
function linked(parameters: URLSearchParams): Partial<Wish> {
  const fields = ['runtime', 'version'] as const;
  return Object.fromEntries(fields.flatMap((field) => (parameters.has(field) ? [[field, parameters.get(field)]] : [])));
}

const OPEN = ['Pending', 'AwaitingApproval', 'Running'];

/** What is under way, or waits, or keeps the wish from being planned. */
function Now({ cluster }: { cluster: Cluster }): ReactNode {
  const text = useText();
  const { items, cell } = useRows(OPERATIONS, namespaceOf(cluster));
  const open = items.filter(
    (one) => cell(one, 'Cluster') === nameOf(cluster) && OPEN.includes(cell(one, 'Phase') || 'Pending'),
  );
  const conditions = cluster.status?.conditions ?? [];
  const hindered = conditions.filter(
    ({ type, status }) => ['SpecValid', 'MachinesReachable', 'PreflightPassed'].includes(type) && status === 'False',
  );
  const progress = conditions.find(({ type }) => type === 'Progressing');
  return (
    <Panel title={text.change.now}>
      <ul className="lines" aria-live="polite">
        {open.map((operation) => (
          <li key={keyOf(operation)}>
            <ObjectLink kind="operations" object={operation} />
            <Status state={cell(operation, 'Phase') || 'Pending'} />
            <span className="line-text">{cell(operation, 'Progress')}</span>
          </li>
        ))}
        {hindered.map(({ type, message }) => (
          <li key={type}>
            <Status state="Blocked" />
            <span className="line-text">{message}</span>
          </li>
        ))}
      </ul>
      {open.length === 0 && <p>{progress?.message || text.change.nothing}</p>}
    </Panel>
  );
}

interface FieldsProps {
  wish: Wish;
  change: (next: Partial<Wish>) => void;
  causes: Cause[];
}

function Target({ cluster, wish, change, causes }: FieldsProps & { cluster: Cluster }): ReactNode {
  const field = fieldsOf(wish, change);
  const text = useText();
  const words = text.change;
  const namespace = namespaceOf(cluster);
  const foundations = useLive(FOUNDATIONS, namespace).items;
  const foundation = foundations.find((one) => nameOf(one) === wish.foundation);
  const version = wish.version || foundation?.spec?.kubernetes?.version || cluster.status?.version || '';
  const imported = cluster.spec?.provider === 'Imported';
  return (
    <Panel title={words.target}>
      <Choice
        label={text.columns.foundation}
        help={imported ? words.foundationAdopted : words.foundationHelp}
        {...field('foundation')}
        wrong={wrongWith(causes, 'spec.foundationRef')}
        options={[
          { value: '', title: text.state.none },
          ...foundations.map((one) => ({ value: nameOf(one), title: nameOf(one) })),
        ]}
      />
      <Versions namespace={namespace} wish={wish} change={change} causes={causes} />
      <Choice
        label={text.columns.runtime}
        help={takesDocker(version) ? words.runtimeHelp(cluster.status?.runtime ?? '') : words.noDocker(version)}
        {...field('runtime')}
        wrong={wrongWith(causes, 'spec.runtime')}
        options={[
          { value: '', title: words.asFoundation },
          { value: 'containerd', title: 'containerd' },
          { value: 'docker', title: 'docker', disabled: !takesDocker(version) },
        ]}
      />
    </Panel>
  );
}

function Versions({ namespace, wish, change, causes }: FieldsProps & { namespace: string }): ReactNode {
  const field = fieldsOf(wish, change);
  const text = useText();
  const words = text.change;
  const distributions = useLive(DISTRIBUTIONS, namespace).items;
  const distribution = distributions.find((one) => nameOf(one) === wish.distribution);
  const releases = (distribution ? [distribution] : distributions).flatMap((one) => one.spec?.releases ?? []);
  const versions = [...new Set([...releases.map(({ version }) => version), ...(wish.version ? [wish.version] : [])])];
  return (
    <>
      <Choice
        label={text.columns.distribution}
        help={words.distributionHelp}
        {...field('distribution')}
        wrong={wrongWith(causes, 'spec.kubernetes.distribution')}
        options={[
          { value: '', title: words.asFoundation },
          ...distributions.map((one) => ({ value: nameOf(one), title: nameOf(one) })),
        ]}
      />
      <Choice
        label={text.columns.version}
        help={words.versionHelp}
        {...field('version')}
        wrong={wrongWith(causes, 'spec.kubernetes.version')}
        options={[{ value: '', title: words.asFoundation }, ...versions.map((one) => ({ value: one, title: one }))]}
      />
    </>
  );
}

function Manner({ wish, change, causes }: FieldsProps): ReactNode {
  const field = fieldsOf(wish, change);
  const text = useText();
  const words = text.change;
  return (
    <Panel title={words.manner}>
      <TextField
        label={words.maxUnavailable}
        help={words.maxUnavailableHelp}
        {...field('maxUnavailable')}
        required
        wrong={wrongWith(causes, 'spec.change.maxUnavailable')}
      />
      <TextField
        label={words.drainTimeout}
        help={words.drainTimeoutHelp}
        {...field('drainTimeout')}
        required
        wrong={wrongWith(causes, 'spec.change.drain.timeout')}
      />
      <Choice
        label={words.unmanagedPods}
        {...field('unmanagedPods')}
        options={[
          { value: 'Refuse', title: words.refusePods },
          { value: 'Delete', title: words.deletePods },
        ]}
      />
      <Choice
        label={text.createCluster.approval}
        {...field('approval')}
        options={[
          { value: 'Manual', title: text.createCluster.manual },
          { value: 'Automatic', title: text.createCluster.automatic },
        ]}
      />
    </Panel>
  );
}

const REQUESTS = ['renew-certificates', 'update-packages', 'clean-up'] as const;

/** What can be asked of a cluster that is no wish about what it is to be. */
function Requests({ path, name }: { path: string; name: string }): ReactNode {
  const words = useText().change;
  const [asked, setAsked] = useState(false);
  return (
    <Panel title={words.requests}>
      {asked && <p role="status">{words.asked}</p>}
      <div className="table-bar">
        <Verbs verbs={REQUESTS} label={(request) => words.request[request].button}>
          {(request, close) => (
            <Confirm
              title={words.request[request].title(name)}
              action={words.request[request].action}
              danger={request === 'clean-up'}
              perform={async () => {
                await ask(path, request);
                setAsked(true);
              }}
              close={close}
            >
              <p>{words.request[request].text}</p>
            </Confirm>
          )}
        </Verbs>
      </div>
    </Panel>
  );
}
