// What belongs to a workload: its pods, and its earlier states, one of which can be brought back.

import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { ApiError, json } from '../api/http';
import { kindPath, selected } from '../api/member';
import { PODS } from '../api/pods';
import { nameOf, namespaceOf } from '../api/resources';
import type { Revision, Workload } from '../api/rollouts';
import { revisionsOf, selectorText } from '../api/rollouts';
import { Button } from '../parts/Button';
import { Confirm } from '../parts/Confirm';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Age } from '../parts/Time';
import { useText } from '../text';
import { KindTable } from './KindTable';
import type { Site } from './site';

interface Props {
  site: Site;
  path: string;
  plural: string;
  workload: Workload;
  mayChange: boolean;
}

export function PodsOf({ site, workload }: Pick<Props, 'site' | 'workload'>): ReactNode {
  const text = useText();
  const labelSelector = selectorText(workload.spec?.selector);
  const path = selected(kindPath(site.base, PODS, namespaceOf(workload)), { labelSelector });
  return <KindTable site={site} kind={PODS} path={path} label={text.node.pods} empty={text.workload.noPods} />;
}

export function History({ site, path, plural, workload, mayChange }: Props): ReactNode {
  const text = useText();
  const words = text.workload;
  const [wanted, setWanted] = useState<Revision | null>(null);
  const client = useQueryClient();
  const queryKey = ['revisions', path, workload.metadata?.resourceVersion];
  const { data, error } = useQuery({ queryKey, queryFn: () => revisionsOf(site.base, plural, workload) });
  if (error instanceof ApiError) return <Problem error={error} what={text.resources.all} member />;
  if (!data) return <Loading />;
  if (data.length === 0) return <Notice title={words.noHistory} />;
  const close = (): void => {
    setWanted(null);
  };
  return (
    <>
      <Revisions revisions={data} undo={mayChange ? setWanted : null} />
      {wanted && (
        <Confirm
          title={words.undoTitle(nameOf(workload), wanted.number)}
          action={words.undo}
          perform={async () => {
            await json(path, { method: 'PATCH', ...wanted.undo });
            await client.invalidateQueries({ queryKey: ['object', path] });
          }}
          close={close}
        >
          <p>{words.undoText(wanted.images.join(', '))}</p>
        </Confirm>
      )}
    </>
  );
}

interface RevisionsProps {
  revisions: Revision[];
  undo: ((revision: Revision) => void) | null;
}

function Revisions({ revisions, undo }: RevisionsProps): ReactNode {
  const text = useText();
  const words = text.workload;
  return (
    <table className="table plain">
      <thead>
        <tr>
          <th scope="col">{words.revision}</th>
          <th scope="col">{words.images}</th>
          <th scope="col">{words.cause}</th>
          <th scope="col">{text.columns.age}</th>
          <th scope="col">{text.columns.action}</th>
        </tr>
      </thead>
      <tbody>
        {revisions.map((revision, index) => (
          <tr key={revision.number}>
            <th scope="row">{revision.number}</th>
            <td>{revision.images.join(', ')}</td>
            <td>{revision.cause}</td>
            <td>
              <Age of={revision.made} />
            </td>
            <td>
              {index === 0 && words.current}
              {index > 0 && undo && (
                <Button
                  variant="outline"
                  size="small"
                  onClick={() => {
                    undo(revision);
                  }}
                >
                  {words.undoOpen}
                </Button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
