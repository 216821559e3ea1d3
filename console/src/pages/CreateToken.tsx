// A new token. It is in this page's memory alone, and gone when the page is left.

import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import type { Holder } from '../api/accounts';
import { groupsOf, keyOfAll, make, pathOf, tokenOf } from '../api/accounts';
import { Button, LinkButton } from '../parts/Button';
import { Copyable } from '../parts/Copyable';
import { Choice, TextField, fieldsOf, useDryRun, wrongWith } from '../parts/Form';
import { ErrorLine } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { useAttempt } from '../parts/attempt';
import { useText } from '../text';
import { Ends } from './Accounts';
import { GroupsField } from './AccountFields';

const MONTH = '2592000';

export function CreateToken(): ReactNode {
  const words = useText().accounts;
  const [made, setMade] = useState<Holder>();
  return (
    <Page title={words.createTokenTitle} above={{ to: '/accounts/tokens', title: words.title }}>
      {made ? <Made token={made} /> : <TokenForm done={setMade} />}
    </Page>
  );
}

function TokenForm({ done }: { done: (made: Holder) => void }): ReactNode {
  const words = useText().accounts;
  const client = useQueryClient();
  const [fields, setFields] = useState({ user: '', groups: '', life: MONTH });
  const { busy, error, run } = useAttempt();
  const wanted = tokenOf(fields.user, groupsOf(fields.groups), Number(fields.life));
  const causes = useDryRun(pathOf('tokens'), wanted);
  const field = fieldsOf(fields, (part) => {
    setFields({ ...fields, ...part });
  });
  const submit = async (): Promise<void> => {
    done(await make('tokens', wanted));
    void client.invalidateQueries({ queryKey: keyOfAll('tokens') });
  };
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        void run(submit);
      }}
    >
      <Panel title={words.createTokenTitle}>
        <TextField
          label={words.holder}
          help={words.holderHelp}
          {...field('user')}
          required
          wrong={fields.user ? wrongWith(causes, 'spec.user') : undefined}
        />
        <GroupsField {...field('groups')} causes={causes} />
        <Choice
          label={words.life}
          {...field('life')}
          options={Object.entries(words.lives).map(([value, title]) => ({ value, title }))}
        />
      </Panel>
      {error && <ErrorLine error={error} />}
      <Button type="submit" theme="primary" loading={busy}>
        {words.create}
      </Button>
    </form>
  );
}

function Made({ token }: { token: Holder }): ReactNode {
  const words = useText().accounts;
  return (
    <Panel title={words.tokenMade(token.spec.user ?? '')}>
      <p role="status">{words.tokenOnce}</p>
      <Copyable content={token.status.token ?? ''} label={words.tokenLabel} />
      <p>
        {words.tokenUntil}: <Ends at={token.status.expirationTimestamp ?? ''} over={words.over} />
      </p>
      <LinkButton to="/accounts/tokens">{words.back}</LinkButton>
    </Panel>
  );
}
