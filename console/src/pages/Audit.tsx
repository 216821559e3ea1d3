// Who did what, and how it was answered: the audit log, newest first, with what is asked of it.

import type { ReactNode } from 'react';
import { Suspense, lazy, useState } from 'react';
import type { Event, Filters, Recorded } from '../api/audit';
import { CHANGES, NO_FILTERS, useAudit } from '../api/audit';
import { ApiError } from '../api/http';
import { nameOf } from '../api/resources';
import { Button } from '../parts/Button';
import { ReadDialog } from '../parts/Dialog';
import { Choice, TextField, fieldsOf } from '../parts/Form';
import { Loading, Notice } from '../parts/Notice';
import { Page } from '../parts/Page';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { localTime } from '../parts/Time';
import type { Language } from '../text';
import { useChoices, useText } from '../text';
import type { Text } from '../text/en';
import { Refused } from './Accounts';

const AsYaml = lazy(async () => ({ default: (await import('../parts/AsYaml')).AsYaml }));

const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'post'];

export function Audit(): ReactNode {
  const text = useText();
  const [asked, setAsked] = useState(() => ({ filters: NO_FILTERS, now: Date.now() }));
  return (
    <Page title={text.audit.title}>
      <FilterForm
        show={(filters) => {
          setAsked({ filters, now: Date.now() });
        }}
      />
      <Events filters={asked.filters} now={asked.now} />
    </Page>
  );
}

function FilterForm({ show }: { show: (filters: Filters) => void }): ReactNode {
  const words = useText().audit;
  const [filters, setFilters] = useState(NO_FILTERS);
  const field = fieldsOf(filters, (part) => {
    setFilters({ ...filters, ...part });
  });
  const times = Object.entries(words.times).sort(([one], [other]) => Number(one) - Number(other));
  return (
    <form
      className="filters"
      aria-label={words.filters}
      onSubmit={(event) => {
        event.preventDefault();
        show(filters);
      }}
    >
      <TextField label={words.user} {...field('user')} />
      <Choice
        label={words.verb}
        {...field('verb')}
        options={[
          { value: '', title: words.any },
          { value: CHANGES, title: words.changes },
          ...VERBS.map((verb) => ({ value: verb, title: verb })),
        ]}
      />
      <TextField label={words.resource} placeholder={words.resourceHelp} {...field('resource')} />
      <TextField label={words.code} type="number" {...field('code')} />
      <Choice
        label={words.since}
        {...field('since')}
        options={[{ value: '', title: words.ever }, ...times.map(([value, title]) => ({ value, title }))]}
      />
      <Button type="submit" theme="primary">
        {words.show}
      </Button>
    </form>
  );
}

function Events({ filters, now }: { filters: Filters; now: number }): ReactNode {
  const text = useText();
  const words = text.audit;
  const { language } = useChoices();
  const [opened, setOpened] = useState<Recorded>();
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useAudit(filters, now);
  if (error instanceof ApiError && !data) return <Refused error={error} what={words.title} />;
  if (!data) return <Loading />;
  return (
    <>
      {error instanceof ApiError && <Refused error={error} what={words.title} />}
      <Table
        label={words.title}
        rows={data.events}
        rowKey={nameOf}
        columns={columns(text, language, setOpened)}
        empty={<Notice title={hasNextPage ? words.emptySoFar : words.empty} />}
        exportName="audit"
        kept
      />
      <div className="table-bar">
        <span role="status">{hasNextPage ? words.more : words.whole}</span>
        {hasNextPage && (
          <Button variant="outline" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {words.older}
          </Button>
        )}
      </div>
      {opened && (
        <Details
          of={opened}
          close={() => {
            setOpened(undefined);
          }}
        />
      )}
    </>
  );
}

function columns(text: Text, language: Language, open: (recorded: Recorded) => void): Column<Recorded>[] {
  const words = text.audit;
  const time = ({ event }: Recorded): string => localTime(event.stageTimestamp, language);
  const link = (row: Recorded): ReactNode => (
    <button
      type="button"
      className="as-link"
      aria-label={words.open(time(row))}
      onClick={() => {
        open(row);
      }}
    >
      <time dateTime={row.event.stageTimestamp}>{time(row)}</time>
    </button>
  );
  return [
    { key: 'time', title: words.time, value: ({ event }) => event.stageTimestamp, cell: link },
    { key: 'user', title: words.user, value: ({ event }) => whoOf(event, words.as) },
    { key: 'verb', title: words.verb, value: ({ event }) => event.verb },
    { key: 'resource', title: words.resource, value: ({ event }) => whatOf(event) },
    { key: 'object', title: words.object, value: ({ event }) => whichOf(event), wide: true },
    { key: 'code', title: words.code, value: ({ event }) => event.responseStatus?.code ?? '' },
    { key: 'source', title: words.source, value: ({ event }) => event.sourceIPs?.at(-1) ?? '', wide: true },
  ];
}

/** Who asked, and as whom. */
export function whoOf(event: Event, as: (user: string, other: string) => string): string {
  const name = event.user.username ?? '';
  const other = event.impersonatedUser?.username;
  return other === undefined ? name : as(name, other);
}

/** The resource that was asked for, or the path of what is none. */
export function whatOf({ objectRef, requestURI }: Event): string {
  if (!objectRef?.resource) return requestURI.split('?')[0] ?? '';
  return objectRef.subresource ? `${objectRef.resource}/${objectRef.subresource}` : objectRef.resource;
}

/** Which object it was, in its namespace. */
export function whichOf({ objectRef }: Event): string {
  return [objectRef?.namespace, objectRef?.name].filter(Boolean).join('/');
}

function Details({ of, close }: { of: Recorded; close: () => void }): ReactNode {
  const text = useText();
  return (
    <ReadDialog title={text.audit.event} close={close}>
      <Suspense fallback={<Loading />}>
        <AsYaml of={of.event} label={text.audit.event} />
      </Suspense>
    </ReadDialog>
  );
}
