// What a machine is to be: which cluster it belongs to and as what, and its Node's labels and taints.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { merge } from '../api/ask';
import type { Machine } from '../api/kinds';
import { useRows } from '../api/live';
import { CLUSTERS, MACHINES, nameOf, namespaceOf, objectPath } from '../api/resources';
import { readable } from '../api/written';
import { Button } from '../parts/Button';
import { Choice, TextField, fieldsOf } from '../parts/Form';
import { ErrorLine } from '../parts/Notice';
import { Panel } from '../parts/Page';
import { useAttempt } from '../parts/attempt';
import { useText } from '../text';
import { labelLines, labelPatch, labelsOf, taintLines, taintsOf } from './pairs';

interface Wanted {
  cluster: string;
  role: string;
  labels: string;
  taints: string;
}

function wantedOf({ spec }: Machine): Wanted {
  return {
    cluster: spec?.clusterRef?.name ?? '',
    role: spec?.role ?? 'Worker',
    labels: labelLines(spec?.labels),
    taints: taintLines(spec?.taints),
  };
}

export function MachineFields({ machine }: { machine: Machine }): ReactNode {
  const text = useText();
  const words = text.machineFields;
  const found = wantedOf(machine);
  const [changed, setChanged] = useState<Partial<Wanted>>({});
  const wanted = { ...found, ...changed };
  const { busy, error, run } = useAttempt();
  const field = fieldsOf(wanted, (part) => {
    setChanged({ ...changed, ...part });
  });
  const save = async (): Promise<void> => {
    const spec = readable(() => specOf(machine, wanted, changed), text.node.badLine);
    await merge(objectPath(MACHINES, namespaceOf(machine), nameOf(machine)), { spec });
    setChanged({});
  };
  return (
    <Panel title={words.title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run(save, { again: true });
        }}
      >
        <Membership machine={machine} wanted={wanted} field={field} />
        <TextField label={text.node.labels} help={words.labelsHelp} lines={3} {...field('labels')} />
        <TextField label={text.node.taints} help={text.node.taintsHelp} lines={2} {...field('taints')} />
        {error && <ErrorLine error={error} />}
        <Button type="submit" theme="primary" loading={busy} disabled={Object.keys(changed).length === 0}>
          {text.yaml.save}
        </Button>
      </form>
    </Panel>
  );
}

interface MembershipProps {
  machine: Machine;
  wanted: Wanted;
  field: ReturnType<typeof fieldsOf<Wanted>>;
}

/** A machine that belongs to a cluster leaves it by being deleted; a free one may join one. */
function Membership({ machine, wanted, field }: MembershipProps): ReactNode {
  const text = useText();
  const words = text.machineFields;
  const clusters = useRows(CLUSTERS, namespaceOf(machine)).items;
  if (machine.spec?.clusterRef) return <p>{words.belongs(machine.spec.clusterRef.name)}</p>;
  return (
    <>
      <Choice
        label={words.joins}
        help={words.joinsHelp}
        {...field('cluster')}
        options={[
          { value: '', title: text.machines.unassigned },
          ...clusters.map((one) => ({ value: nameOf(one), title: nameOf(one) })),
        ]}
      />
      {wanted.cluster && (
        <Choice
          label={text.columns.role}
          {...field('role')}
          options={[
            { value: 'Worker', title: text.roles.Worker ?? '' },
            { value: 'ControlPlane', title: text.roles.ControlPlane ?? '' },
          ]}
        />
      )}
    </>
  );
}

function specOf(machine: Machine, wanted: Wanted, changed: Partial<Wanted>): object {
  const joins = changed.cluster !== undefined && wanted.cluster !== '';
  return {
    ...(joins ? { clusterRef: { name: wanted.cluster }, role: wanted.role } : {}),
    ...(changed.labels === undefined
      ? {}
      : { labels: labelPatch(machine.spec?.labels ?? {}, labelsOf(changed.labels)) }),
    ...(changed.taints === undefined ? {} : { taints: taintsOf(changed.taints) }),
  };
}
