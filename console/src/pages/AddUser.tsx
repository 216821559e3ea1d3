// A user who signs in by name and password.

import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { groupsOf, keyOfAll, make, pathOf, userOf } from '../api/accounts';
import { Button } from '../parts/Button';
import { TextField, fieldsOf, useDryRun, wrongWith } from '../parts/Form';
import { ErrorLine } from '../parts/Notice';
import { Page, Panel } from '../parts/Page';
import { useAttempt } from '../parts/attempt';
import { useText } from '../text';
import { GroupsField, NO_PASSWORDS, PasswordFields } from './AccountFields';

export function AddUser(): ReactNode {
  const words = useText().accounts;
  const navigate = useNavigate();
  const client = useQueryClient();
  const [fields, setFields] = useState({ name: '', groups: '' });
  const [passwords, setPasswords] = useState(NO_PASSWORDS);
  const { busy, error, run } = useAttempt();
  const wanted = userOf(fields.name, passwords.password, groupsOf(fields.groups));
  const causes = useDryRun(pathOf('users'), wanted);
  const field = fieldsOf(fields, (part) => {
    setFields({ ...fields, ...part });
  });
  // What is not filled in yet is not wrong yet.
  const wrong = (field: string, value: string): string | undefined => (value ? wrongWith(causes, field) : undefined);
  const submit = async (): Promise<void> => {
    await make('users', wanted);
    void client.invalidateQueries({ queryKey: keyOfAll('users') });
    await navigate('/accounts/users');
  };
  return (
    <Page title={words.addUserTitle} above={{ to: '/accounts/users', title: words.title }}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void run(submit);
        }}
      >
        <Panel title={words.addUserTitle}>
          <TextField
            label={words.name}
            help={words.nameHelp}
            {...field('name')}
            required
            wrong={wrong('metadata.name', fields.name)}
          />
          <GroupsField {...field('groups')} causes={causes} />
          <PasswordFields value={passwords} change={setPasswords} wrong={wrong('spec.password', passwords.password)} />
        </Panel>
        {error && <ErrorLine error={error} />}
        <Button type="submit" theme="primary" loading={busy} disabled={passwords.again !== passwords.password}>
          {words.addUser}
        </Button>
      </form>
    </Page>
  );
}
