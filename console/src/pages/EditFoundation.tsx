// A Foundation by form, new or there already: what all clusters that refer to it are to stand on.

import type { ReactNode } from 'react';
import { useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { merge } from '../api/ask';
import type { Cause } from '../api/http';
import { json } from '../api/http';
import type { Foundation } from '../api/kinds';
import { useLive, useOne } from '../api/live';
import { DISTRIBUTIONS, FOUNDATIONS, listPath, nameOf, objectPath } from '../api/resources';
import { Button } from '../parts/Button';
import { Choice, OtherCauses, TextField, fieldsOf, useDryRun, wrongWith } from '../parts/Form';
import { ErrorLine, Loading, Notice, Problem } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { useAttempt } from '../parts/attempt';
import { linkTo } from '../parts/links';
import { useChoices, useText } from '../text';
import type { FoundationWish } from './foundationWish';
import { foundationWishOf, specOf } from './foundationWish';

export function NewFoundation(): ReactNode {
  const text = useText();
  const { namespace } = useChoices();
  return (
    <Page title={text.foundationForm.title} above={{ to: '/foundations', title: text.foundations.title }}>
      <Form first={foundationWishOf({ metadata: { namespace: namespace || 'default' } })} there={null} />
    </Page>
  );
}

export function EditFoundation(): ReactNode {
  const text = useText();
  const { namespace = '', name = '' } = useParams();
  const { item, ready, error } = useOne(FOUNDATIONS, namespace, name);
  if (!item) {
    if (error) return <Problem error={error} what={text.foundations.all} />;
    return ready ? <Notice title={text.foundations.gone} /> : <Loading />;
  }
  return (
    <Page
      title={text.foundationForm.edit(name)}
      above={{ to: linkTo('foundations', namespace, name), title: text.overview.uniformityOf(name) }}
    >
      <Form first={foundationWishOf(item)} there={item} />
    </Page>
  );
}

interface FormProps {
  first: FoundationWish;
  /** The Foundation that is changed; null for a new one. */
  there: Foundation | null;
}

function Form({ first, there }: FormProps): ReactNode {
  const text = useText();
  const words = text.foundationForm;
  const navigate = useNavigate();
  const [wish, setWish] = useState(first);
  const { busy, error, run } = useAttempt();
  const path = there ? objectPath(FOUNDATIONS, wish.namespace, wish.name) : listPath(FOUNDATIONS, wish.namespace);
  const body = there ? { spec: specOf(wish) } : newOne({ ...wish, name: wish.name || 'unnamed' });
  const causes = useDryRun(path, busy ? null : body, there ? 'PATCH' : 'POST');
  const submit = async (): Promise<void> => {
    if (there) await merge(path, body);
    else await json(path, { method: 'POST', body: newOne(wish) });
    await navigate(linkTo('foundations', wish.namespace, wish.name));
  };
  const change = (part: Partial<FoundationWish>): void => {
    setWish({ ...wish, ...part });
  };
  const fields = { wish, change, causes };
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        void run(submit);
      }}
    >
      {!there && <Name {...fields} />}
      <Kubernetes {...fields} />
      <Hosts {...fields} />
      <Network {...fields} />
      <OtherCauses causes={causes} known={there ? FIELDS : [...FIELDS, 'metadata.name']} />
      {error && <ErrorLine error={error} />}
      <Button type="submit" theme="primary" loading={busy} disabled={causes.length > 0}>
        {there ? text.yaml.save : text.createCluster.submit}
      </Button>
      <p>{words.nothingChanges}</p>
    </form>
  );
}

const FIELDS = [
  'spec.kubernetes.distribution',
  'spec.kubernetes.version',
  'spec.runtime.name',
  'spec.runtime.version',
  'spec.runtime.handlers',
  'spec.operatingSystem.recommended',
  'spec.operatingSystem.allowed',
  'spec.operatingSystem.kernel',
  'spec.network.plugin',
  'spec.network.features',
];

function newOne(wish: FoundationWish): Foundation {
  return {
    apiVersion: 'groundplane.dev/v1alpha1',
    kind: 'Foundation',
    metadata: { name: wish.name, namespace: wish.namespace },
    spec: specOf(wish),
  };
}

interface FieldsProps {
  wish: FoundationWish;
  change: (part: Partial<FoundationWish>) => void;
  causes: Cause[];
}

function Name({ wish, change, causes }: FieldsProps): ReactNode {
  const { columns } = useText();
  const field = fieldsOf(wish, change);
  return (
    <Panel title={columns.foundation}>
      <TextField label={columns.name} {...field('name')} required wrong={wrongWith(causes, 'metadata.name')} />
      <TextField label={columns.namespace} {...field('namespace')} required />
    </Panel>
  );
}

function Kubernetes({ wish, change, causes }: FieldsProps): ReactNode {
  const { columns, foundationForm: words } = useText();
  const field = fieldsOf(wish, change);
  const distributions = useLive(DISTRIBUTIONS, wish.namespace).items;
  const releases = distributions.find((one) => nameOf(one) === wish.distribution)?.spec?.releases ?? [];
  return (
    <Panel title={words.kubernetes}>
      <TextField
        label={columns.distribution}
        help={words.distributionHelp(distributions.map(nameOf))}
        {...field('distribution')}
        required
        wrong={wrongWith(causes, 'spec.kubernetes.distribution')}
      />
      <TextField
        label={columns.version}
        help={words.versionHelp(releases.map(({ version }) => version))}
        {...field('version')}
        required
        wrong={wrongWith(causes, 'spec.kubernetes.version')}
      />
      <Choice
        label={columns.runtime}
        {...field('runtime')}
        wrong={wrongWith(causes, 'spec.runtime.name')}
        options={['containerd', 'docker'].map((value) => ({ value, title: value }))}
      />
      <TextField
        label={words.runtimeVersion}
        help={words.runtimeVersionHelp}
        {...field('runtimeVersion')}
        wrong={wrongWith(causes, 'spec.runtime.version')}
      />
      <TextField
        label={words.handlers}
        help={words.handlersHelp}
        {...field('handlers')}
        wrong={wrongWith(causes, 'spec.runtime.handlers')}
      />
    </Panel>
  );
}

function Hosts({ wish, change, causes }: FieldsProps): ReactNode {
  const { foundationForm: words } = useText();
  const field = fieldsOf(wish, change);
  const setting = (name: 'swap' | 'timeSync' | 'kdump', wanted: string): ReactNode => (
    <Choice
      label={words[name]}
      {...field(name)}
      options={[
        { value: wanted, title: words.settings[name] },
        { value: 'Ignored', title: words.ignored },
      ]}
    />
  );
  return (
    <Panel title={words.hosts}>
      <TextField
        label={words.recommended}
        help={words.systemsHelp}
        lines={2}
        {...field('recommended')}
        wrong={wrongWith(causes, 'spec.operatingSystem.recommended')}
      />
      <TextField
        label={words.allowed}
        help={words.allowedHelp}
        lines={2}
        {...field('allowed')}
        wrong={wrongWith(causes, 'spec.operatingSystem.allowed')}
      />
      <TextField
        label={words.kernel}
        help={words.kernelHelp}
        {...field('kernel')}
        wrong={wrongWith(causes, 'spec.operatingSystem.kernel')}
      />
      {setting('swap', 'Disabled')}
      {setting('timeSync', 'Required')}
      {setting('kdump', 'Required')}
    </Panel>
  );
}

function Network({ wish, change, causes }: FieldsProps): ReactNode {
  const { foundationForm: words } = useText();
  const field = fieldsOf(wish, change);
  return (
    <Panel title={words.network}>
      <TextField
        label={words.plugin}
        help={words.pluginHelp}
        {...field('plugin')}
        wrong={wrongWith(causes, 'spec.network.plugin')}
      />
      <TextField
        label={words.features}
        help={words.featuresHelp}
        {...field('features')}
        wrong={wrongWith(causes, 'spec.network.features')}
      />
    </Panel>
  );
}
