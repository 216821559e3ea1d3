// Who signs in by password, and which tokens there are.

import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useParams } from 'react-router';
import type { Holder } from '../api/accounts';
import { keyOfAll, setPassword, takeAway, useAccountRights, useAll } from '../api/accounts';
import { ApiError } from '../api/http';
import { nameOf } from '../api/resources';
import { useSession } from '../api/session';
import { Button, LinkButton } from '../parts/Button';
import { Confirm } from '../parts/Confirm';
import { Loading, Notice, Problem } from '../parts/Notice';
import { Page } from '../parts/Page';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { Tabs } from '../parts/Tabs';
import { Age, localTime, useNow } from '../parts/Time';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';
import { NO_PASSWORDS, PasswordFields } from './AccountFields';

export function Accounts(): ReactNode {
  const words = useText().accounts;
  const may = useAccountRights();
  const { tab } = useParams();
  const tabs = [
    ...(may('list', 'users') ? [{ to: '/accounts/users', title: words.users }] : []),
    ...(may('list', 'tokens') ? [{ to: '/accounts/tokens', title: words.tokens }] : []),
  ];
  return (
    <Page title={words.title}>
      {tabs.length > 1 && <Tabs label={words.tabs} tabs={tabs} />}
      {tab === 'tokens' ? <Tokens /> : <Users />}
    </Page>
  );
}

/** What is asked of a row: the dialog for it is open. */
interface Asked {
  of: Holder;
  what: 'password' | 'remove';
}

function Users(): ReactNode {
  const text = useText();
  const words = text.accounts;
  const may = useAccountRights();
  const [asked, setAsked] = useState<Asked>();
  const { data, error } = useAll('users');
  if (error instanceof ApiError) return <Refused error={error} what={words.users} />;
  if (!data) return <Loading />;
  const actions = (of: Holder): ReactNode => (
    <>
      {may('update', 'users/password') && (
        <RowButton title={words.setPassword} of={of} what="password" ask={setAsked} />
      )}
      {may('delete', 'users') && <RowButton title={words.remove} of={of} what="remove" ask={setAsked} />}
    </>
  );
  const close = (): void => {
    setAsked(undefined);
  };
  return (
    <>
      <Table
        label={words.users}
        rows={data}
        rowKey={nameOf}
        columns={[
          { key: 'name', title: text.columns.name, value: nameOf },
          ...shared(text),
          { key: 'actions', title: words.actions, value: () => '', cell: actions },
        ]}
        empty={<Notice title={words.noUsers} next={words.fileToo} />}
        actions={may('create', 'users') && <LinkButton to="/accounts/users/new">{words.addUser}</LinkButton>}
        exportName="users"
      />
      {asked?.what === 'password' && <AnotherPassword of={asked.of} close={close} />}
      {asked?.what === 'remove' && <TakeAway plural="users" of={asked.of} close={close} />}
    </>
  );
}

function Tokens(): ReactNode {
  const text = useText();
  const words = text.accounts;
  const may = useAccountRights();
  const [asked, setAsked] = useState<Asked>();
  const { data, error } = useAll('tokens');
  if (error instanceof ApiError) return <Refused error={error} what={words.tokens} />;
  if (!data) return <Loading />;
  const revoke = (of: Holder): ReactNode =>
    may('delete', 'tokens') && <RowButton title={words.revoke} of={of} what="remove" ask={setAsked} />;
  const ends = (of: Holder): string => of.status.expirationTimestamp ?? '';
  return (
    <>
      <Table
        label={words.tokens}
        rows={data}
        rowKey={nameOf}
        columns={[
          { key: 'user', title: words.holder, value: (row) => row.spec.user ?? '' },
          { key: 'id', title: text.columns.name, value: nameOf, cell: (row) => <code>{nameOf(row)}</code>, wide: true },
          ...shared(text),
          { key: 'ends', title: words.ends, value: ends, cell: (row) => <Ends at={ends(row)} over={words.over} /> },
          { key: 'actions', title: words.actions, value: () => '', cell: revoke },
        ]}
        empty={<Notice title={words.noTokens} next={words.fileToo} />}
        actions={may('create', 'tokens') && <LinkButton to="/accounts/tokens/new">{words.createToken}</LinkButton>}
        exportName="tokens"
      />
      {asked && (
        <TakeAway
          plural="tokens"
          of={asked.of}
          close={() => {
            setAsked(undefined);
          }}
        />
      )}
    </>
  );
}

function shared(text: Text): Column<Holder>[] {
  const words = text.accounts;
  const made = (row: Holder): string => row.metadata?.creationTimestamp ?? '';
  const used = (row: Holder): string => row.status.lastUsed ?? '';
  return [
    { key: 'groups', title: words.groups, value: (row) => row.spec.groups.join(', ') },
    { key: 'made', title: words.made, value: made, cell: (row) => <Age of={made(row)} />, wide: true },
    { key: 'used', title: words.lastUsed, value: used, cell: (row) => <Age of={used(row)} />, wide: true },
  ];
}

/** When it ends, in the reader's own time. */
export function Ends({ at, over }: { at: string; over: string }): ReactNode {
  const { language } = useChoices();
  if (new Date(at).getTime() <= useNow()) return over;
  return <time dateTime={at}>{localTime(at, language)}</time>;
}

interface RowButtonProps extends Asked {
  title: string;
  ask: (asked: Asked) => void;
}

function RowButton({ title, of, what, ask }: RowButtonProps): ReactNode {
  return (
    <Button
      size="small"
      variant="text"
      aria-label={`${title} ${of.spec.user ?? nameOf(of)}`}
      onClick={() => {
        ask({ of, what });
      }}
    >
      {title}
    </Button>
  );
}

interface DialogProps {
  of: Holder;
  close: () => void;
}

function AnotherPassword({ of, close }: DialogProps): ReactNode {
  const words = useText().accounts;
  const [passwords, setPasswords] = useState(NO_PASSWORDS);
  const change = async (): Promise<void> => {
    const { password, again } = passwords;
    if (password !== again) throw new ApiError(400, 'BadRequest', words.passwordsDiffer);
    await setPassword(nameOf(of), password);
  };
  return (
    <Confirm title={words.setPasswordTitle(nameOf(of))} action={words.set} perform={change} close={close}>
      <p>{words.setPasswordEnds}</p>
      <PasswordFields value={passwords} change={setPasswords} />
    </Confirm>
  );
}

function TakeAway({ plural, of, close }: DialogProps & { plural: 'users' | 'tokens' }): ReactNode {
  const words = useText().accounts;
  const client = useQueryClient();
  const session = useSession();
  const user = of.spec.user ?? nameOf(of);
  const yours = session?.user === user;
  const go = async (): Promise<void> => {
    await takeAway(plural, nameOf(of));
    void client.invalidateQueries({ queryKey: keyOfAll(plural) });
  };
  const [title, ends, you, action] =
    plural === 'users'
      ? [words.removeTitle(user), words.removeEnds(user), words.removesYou, words.removeConfirm]
      : [words.revokeTitle(user), words.revokeEnds, words.revokesYou, words.revokeConfirm];
  return (
    <Confirm title={title} action={action} danger perform={go} close={close}>
      <p>{ends}</p>
      {yours && <p className="banner">{you}</p>}
    </Confirm>
  );
}

export function Refused({ error, what }: { error: ApiError; what: string }): ReactNode {
  const words = useText().accounts;
  if (error.code === 403) return <Notice title={words.forbidden} next={error.message} />;
  return <Problem error={error} what={what} />;
}
