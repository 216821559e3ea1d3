// Bringing all clusters of a Foundation to it: a run in waves, begun, followed, paused and ended here.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { Link } from 'react-router';
import { merge } from '../api/ask';
import type { Foundation, UnifyCluster, UnifyWave } from '../api/kinds';
import { useRows } from '../api/live';
import { CLUSTERS, FOUNDATIONS, nameOf, namespaceOf, objectPath } from '../api/resources';
import { useRights } from '../api/session';
import { readable } from '../api/written';
import { Confirm } from '../parts/Confirm';
import { Choice, TextField, fieldsOf } from '../parts/Form';
import { Panel } from '../parts/Page';
import { Status } from '../parts/Status';
import { Age } from '../parts/Time';
import { Verbs } from '../parts/Verbs';
import { linkTo } from '../parts/links';
import { useText } from '../text';
import { UnifyPreview } from './UnifyPreview';
import type { RunWish } from './run';
import { beginning, runWishOf, underWay } from './run';

const SETTLED = ['Done', 'Blocked', 'Failed', 'Cancelled', 'Gone'];

interface Props {
  foundation: Foundation;
}

export function UnifyPanel({ foundation }: Props): ReactNode {
  const words = useText().unify;
  const status = foundation.status?.unify;
  const known = status?.run !== undefined && status.run === foundation.spec?.unify?.run;
  return (
    <Panel title={words.title}>
      <RunVerbs foundation={foundation} />
      {!status && !underWay(foundation) && <p>{words.none}</p>}
      {!underWay(foundation) && <UnifyPreview foundation={foundation} />}
      {underWay(foundation) && !known && <p role="status">{words.begins}</p>}
      {status && (
        <>
          <p role="status">
            <Status state={status.phase ?? 'Pending'} /> {words.run(status.run ?? '')} <Age of={status.startedAt} />
          </p>
          <p>{status.message}</p>
          {(status.waves ?? []).map((wave) => (
            <Wave key={wave.number} wave={wave} namespace={namespaceOf(foundation)} />
          ))}
        </>
      )}
    </Panel>
  );
}

function Wave({ wave, namespace }: { wave: UnifyWave; namespace: string }): ReactNode {
  const text = useText();
  const words = text.unify;
  return (
    <section>
      <h3>{words.wave(wave.number, wave.canaries ?? false, settledIn(wave), sizeOf(wave))}</h3>
      <table className="table plain">
        <thead>
          <tr>
            <th scope="col">{text.columns.cluster}</th>
            <th scope="col">{text.columns.state}</th>
            <th scope="col">{text.operations.result}</th>
            <th scope="col">{text.operations.title}</th>
          </tr>
        </thead>
        <tbody>
          {(wave.clusters ?? []).map((cluster) => (
            <Member key={cluster.name} cluster={cluster} namespace={namespace} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Member({ cluster, namespace }: { cluster: UnifyCluster; namespace: string }): ReactNode {
  return (
    <tr>
      <th scope="row">
        <Link to={linkTo('clusters', namespace, cluster.name)}>{cluster.name}</Link>
      </th>
      <td>
        <Status state={cluster.state ?? 'Waiting'} />
      </td>
      <td>{cluster.message}</td>
      <td>
        {(cluster.operations ?? []).map((name) => (
          <Link key={name} to={linkTo('operations', namespace, name)}>
            {name}{' '}
          </Link>
        ))}
      </td>
    </tr>
  );
}

type Verb = 'start' | 'approve' | 'pause' | 'resume' | 'cancel';

function verbsOf(foundation: Foundation): Verb[] {
  const wish = foundation.spec?.unify;
  if (!underWay(foundation)) return ['start'];
  if (wish?.state === 'Cancelled') return [];
  const waits = foundation.status?.unify?.phase === 'AwaitingApproval' && wish?.approval === 'PerWave';
  return [...(waits ? ['approve' as const] : []), wish?.state === 'Paused' ? 'resume' : 'pause', 'cancel'];
}

/** The wave that is asked about next: the first that is neither approved nor settled. */
function nextWave({ spec, status }: Foundation): number {
  const approved = spec?.unify?.approvedWave ?? 0;
  const open = (status?.unify?.waves ?? []).find((wave) => wave.number > approved && settledIn(wave) < sizeOf(wave));
  return open?.number ?? approved + 1;
}

function settledIn({ clusters = [] }: UnifyWave): number {
  return clusters.filter(({ state }) => SETTLED.includes(state ?? '')).length;
}

function sizeOf({ clusters = [] }: UnifyWave): number {
  return clusters.length;
}

function RunVerbs({ foundation }: Props): ReactNode {
  const words = useText().unify;
  const can = useRights(namespaceOf(foundation));
  if (!can('patch', 'foundations', nameOf(foundation))) return null;
  return (
    <div className="table-bar">
      <Verbs
        verbs={verbsOf(foundation)}
        label={(verb) => words.verbs[verb].button(nextWave(foundation))}
        primary={['start', 'approve']}
      >
        {(verb, close) =>
          verb === 'start' ? (
            <Start foundation={foundation} close={close} />
          ) : (
            <Decide foundation={foundation} verb={verb} close={close} />
          )
        }
      </Verbs>
    </div>
  );
}

interface DecideProps {
  foundation: Foundation;
  verb: Exclude<Verb, 'start'>;
  close: () => void;
}

function Decide({ foundation, verb, close }: DecideProps): ReactNode {
  const words = useText().unify;
  const [operations, setOperations] = useState(false);
  const wave = nextWave(foundation);
  const wish = {
    approve: { approvedWave: wave },
    pause: { state: 'Paused' },
    resume: { state: 'Running' },
    cancel: { state: 'Cancelled', cancelOperations: operations },
  }[verb];
  return (
    <Confirm
      title={words.verbs[verb].title(nameOf(foundation), wave)}
      action={words.verbs[verb].action}
      danger={verb === 'cancel'}
      perform={() => merge(pathOf(foundation), { spec: { unify: wish } })}
      close={close}
    >
      <p>{words.verbs[verb].text}</p>
      {verb === 'cancel' && (
        <label className="beside">
          <input
            type="checkbox"
            checked={operations}
            onChange={(event) => {
              setOperations(event.target.checked);
            }}
          />
          {words.cancelOperations}
        </label>
      )}
    </Confirm>
  );
}

function Start({ foundation, close }: Props & { close: () => void }): ReactNode {
  const text = useText();
  const words = text.unify;
  const [wish, setWish] = useState(() => runWishOf(foundation.spec?.unify));
  const { items, cell } = useRows(CLUSTERS, namespaceOf(foundation));
  const clusters = items.filter((one) => cell(one, 'Foundation') === nameOf(foundation));
  const drifting = clusters.filter((one) => cell(one, 'Drift') !== '');
  const perform = async (): Promise<void> => {
    const run = new Date().toISOString().replaceAll(':', '');
    const begin = readable(() => beginning(wish, run), words.windowWrong);
    await merge(`${pathOf(foundation)}?fieldValidation=Strict`, begin);
  };
  return (
    <Confirm
      title={words.verbs.start.title(nameOf(foundation))}
      action={words.verbs.start.action}
      perform={perform}
      close={close}
    >
      <p>{words.concerns(drifting.map(nameOf), clusters.length)}</p>
      <RunFields wish={wish} change={setWish} />
      <UnifyPreview foundation={foundation} waves={wish.waves} />
    </Confirm>
  );
}

function RunFields({ wish, change }: { wish: RunWish; change: (wish: RunWish) => void }): ReactNode {
  const words = useText().unify;
  const field = fieldsOf(wish, (part) => {
    change({ ...wish, ...part });
  });
  return (
    <>
      <Choice
        label={words.approval}
        {...field('approval')}
        options={[
          { value: 'PerWave', title: words.perWave },
          { value: 'Once', title: words.once },
        ]}
      />
      <TextField label={words.waves} help={words.wavesHelp} {...field('waves')} required />
      <TextField label={words.maxClusters} type="number" {...field('maxClusters')} required />
      <TextField
        label={words.maxFailures}
        help={words.maxFailuresHelp}
        type="number"
        {...field('maxFailures')}
        required
      />
      <TextField label={words.windows} help={words.windowsHelp} lines={2} {...field('windows')} />
    </>
  );
}

function pathOf(foundation: Foundation): string {
  return objectPath(FOUNDATIONS, namespaceOf(foundation), nameOf(foundation));
}
