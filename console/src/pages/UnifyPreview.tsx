// What a run of unify would do to each cluster of a Foundation, wave by wave, before one begins.

import type { ReactNode } from 'react';
import { useDeferredValue, useState } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { ApiError, json } from '../api/http';
import type { Foundation, UnifyPlan, UnifyStep } from '../api/kinds';
import { FOUNDATIONS, nameOf, namespaceOf, objectPath } from '../api/resources';
import { Named } from '../parts/Named';
import { ErrorLine, Loading } from '../parts/Notice';
import { linkTo } from '../parts/links';
import { useText } from '../text';
import { blockedIn, byWave } from './unifyPlan';
import type { PlannedCluster, PlannedWave } from './unifyPlan';

interface Props {
  foundation: Foundation;
  /** Sizes of the waves as they are written; "" for the Foundation's own. */
  waves?: string;
}

/** Asked for only when somebody opens it: of a large fleet it is a large answer. */
export function UnifyPreview({ foundation, waves = '' }: Props): ReactNode {
  const words = useText().unify;
  const [open, setOpen] = useState(false);
  return (
    <details
      className="preview"
      onToggle={(event) => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>{words.preview}</summary>
      {open && <Preview foundation={foundation} waves={waves} />}
    </details>
  );
}

function Preview({ foundation, waves }: Required<Props>): ReactNode {
  const words = useText().unify;
  const asked = useDeferredValue(waves);
  const path = `${objectPath(FOUNDATIONS, namespaceOf(foundation), nameOf(foundation))}/unifyplan`;
  const { data, error } = useQuery({
    // A survey that finds something else changes the Foundation's status, too.
    queryKey: ['unifyplan', path, asked, foundation.metadata?.resourceVersion],
    queryFn: ({ signal }) => json<UnifyPlan>(`${path}?${new URLSearchParams({ waves: asked }).toString()}`, { signal }),
    placeholderData: keepPreviousData,
  });
  if (error instanceof ApiError) return <ErrorLine error={error} />;
  if (!data) return <Loading />;
  const planned = byWave(data);
  const alone = data.leftAlone ?? [];
  return (
    <>
      <p role="status">{words.summary(data.steps?.length ?? 0, planned.clusters, alone.length, blockedIn(data))}</p>
      {planned.waves.map((wave) => (
        <WaveToCome key={wave.number} wave={wave} namespace={namespaceOf(foundation)} />
      ))}
      {alone.length > 0 && (
        <details>
          <summary>{words.leftAlone(alone.length)}</summary>
          <ul>
            {alone.map(({ cluster, reason }) => (
              <li key={cluster}>
                <Link to={linkTo('clusters', namespaceOf(foundation), cluster)}>{cluster}</Link>: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function WaveToCome({ wave, namespace }: { wave: PlannedWave; namespace: string }): ReactNode {
  const words = useText().unify;
  const [open, setOpen] = useState(wave.number === 1);
  return (
    <details
      open={open}
      onToggle={(event) => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>{words.waveToCome(wave.number, wave.canaries, wave.clusters.length)}</summary>
      {open && (
        <ul>
          {wave.clusters.map((cluster) => (
            <ClusterToCome key={cluster.name} cluster={cluster} namespace={namespace} />
          ))}
        </ul>
      )}
    </details>
  );
}

function ClusterToCome({ cluster, namespace }: { cluster: PlannedCluster; namespace: string }): ReactNode {
  return (
    <li>
      <Link to={linkTo('clusters', namespace, cluster.name)}>{cluster.name}</Link>
      <ol start={cluster.steps[0]?.number ?? 1}>
        {cluster.steps.map((step) => (
          <Step key={step.number} step={step} />
        ))}
      </ol>
    </li>
  );
}

function Step({ step }: { step: UnifyStep }): ReactNode {
  const text = useText();
  const words = text.unify;
  const { count = 0, names = [] } = step.nodes ?? {};
  const drain = step.sharesDrain ? words.sameDrain : step.drains ? words.drained : '';
  const where = [count > 0 ? words.onNodes(count, names) : '', drain].filter(Boolean).join(words.and);
  return (
    <li>
      <Named own={text.names?.remedies[step.action]} server={step.title} />
      {where && ` [${where}]`}
      {step.blocked && (
        <>
          <br />
          <span className="field-wrong">{words.notDone(step.blocked)}</span>
        </>
      )}
    </li>
  );
}
