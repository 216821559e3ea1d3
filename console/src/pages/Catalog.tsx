// What Groundplane knows of versions, kernels and systems: every table, with who says it and when somebody has to look again.

import type { ReactNode } from 'react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useParams } from 'react-router';
import type { CatalogRow, CatalogTable } from '../api/about';
import { hostOf, inLine, isPast, today, useCatalog } from '../api/about';
import { ApiError } from '../api/http';
import { nameOf } from '../api/resources';
import { ReadDialog } from '../parts/Dialog';
import { Code, Loading, Notice, Problem } from '../parts/Notice';
import { Facts, Page } from '../parts/Page';
import { Status } from '../parts/Status';
import type { Column } from '../parts/Table';
import { Table } from '../parts/Table';
import { Tabs } from '../parts/Tabs';
import { useText } from '../text';
import type { Text } from '../text/en';

export function Catalog(): ReactNode {
  const words = useText().catalog;
  const { data, error } = useCatalog();
  if (error instanceof ApiError) {
    if (error.code === 403) return <Notice title={words.forbidden} next={error.message} />;
    return <Problem error={error} what={words.title} />;
  }
  return (
    <Page title={words.title}>
      <Code text={words.what} />
      {data ? <Tables of={data} /> : <Loading />}
    </Page>
  );
}

function Tables({ of }: { of: CatalogTable[] }): ReactNode {
  const words = useText().catalog;
  const { table } = useParams();
  const chosen = of.find((one) => nameOf(one) === table);
  const split = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // A link may lead to a table whose name is further down.
    split.current?.querySelector('.tabs .active')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [table]);
  return (
    <div className="split" ref={split}>
      <Tabs
        label={words.tabs}
        tabs={[
          { to: '/catalog', title: words.all, end: true },
          ...of.map((one) => ({ to: `/catalog/${nameOf(one)}`, title: titleOf(one, words) })),
        ]}
      />
      <div className="split-body">
        {table === undefined && <Overview of={of} />}
        {table !== undefined && !chosen && <Notice title={words.gone} />}
        {chosen && <OneTable key={nameOf(chosen)} of={chosen} />}
      </div>
    </div>
  );
}

type Words = Text['catalog'];

const titleOf = (table: CatalogTable, words: Words): string => words.tables[nameOf(table)] ?? nameOf(table);
const aboutOf = (table: CatalogTable, words: Words): string => words.titles[nameOf(table)] ?? table.spec.title;

function Overview({ of }: { of: CatalogTable[] }): ReactNode {
  const words = useText().catalog;
  const columns = useMemo(() => overviewColumns(words, today()), [words]);
  return (
    <Table
      label={words.all}
      rows={of}
      rowKey={nameOf}
      columns={columns}
      empty={<Notice title={words.empty} />}
      exportName="catalog"
      kept
    />
  );
}

function overviewColumns(words: Words, day: string): Column<CatalogTable>[] {
  const count = (which: (row: CatalogRow) => boolean) => (table: CatalogTable) => table.spec.rows.filter(which).length;
  const link = (table: CatalogTable): ReactNode => (
    <Link to={`/catalog/${nameOf(table)}`}>{titleOf(table, words)}</Link>
  );
  return [
    { key: 'table', title: words.table, value: (table) => titleOf(table, words), cell: link },
    { key: 'about', title: words.about, value: (table) => aboutOf(table, words), wide: true },
    { key: 'rows', title: words.rows, value: count(() => true) },
    {
      key: 'newest',
      title: words.newest,
      value: ({ spec }) =>
        spec.rows
          .map(({ date }) => date)
          .sort()
          .at(-1) ?? '',
    },
    { key: 'review', title: words.toReview, value: count((row) => isPast(row, day)) },
    { key: 'memory', title: words.fromMemory, value: count(({ verified }) => verified === 'memory'), wide: true },
    { key: 'copy', title: words.copies, value: count(({ verified }) => verified === 'copy'), wide: true },
    { key: 'site', title: words.fromSite, value: count(({ origin }) => origin === 'Site'), wide: true },
  ];
}

function OneTable({ of }: { of: CatalogTable }): ReactNode {
  const words = useText().catalog;
  const [opened, setOpened] = useState<CatalogRow>();
  const columns = useMemo(() => rowColumns(of, words, today(), setOpened), [of, words]);
  return (
    <>
      <h2>{titleOf(of, words)}</h2>
      <p>{aboutOf(of, words)}</p>
      <Table
        label={titleOf(of, words)}
        rows={of.spec.rows}
        rowKey={({ values }) => JSON.stringify(of.spec.key.map((column) => values[column]))}
        columns={columns}
        empty={<Notice title={words.empty} />}
        exportName={nameOf(of)}
        kept
      />
      {opened && (
        <Details
          of={opened}
          title={named(opened, of.spec)}
          columns={columns}
          close={() => {
            setOpened(undefined);
          }}
        />
      )}
    </>
  );
}

function rowColumns(
  { spec }: CatalogTable,
  words: Words,
  day: string,
  open: (row: CatalogRow) => void,
): Column<CatalogRow>[] {
  const said = spec.columns.map((key): Column<CatalogRow> => ({
    key,
    title: words.columns[key] ?? key,
    value: ({ values }) => numberOrLine(values[key]),
    cell: ({ values }) => <Cut text={inLine(values[key])} />,
  }));
  const [first, ...others] = said;
  const opening = first && {
    ...first,
    cell: (row: CatalogRow) => (
      <Opening row={row} named={named(row, spec)} shown={String(first.value(row))} open={open} />
    ),
  };
  return [
    ...(opening ? [opening] : []),
    ...others,
    { key: 'date', title: words.date, value: ({ date }) => date },
    { key: 'review', title: words.review, value: ({ review }) => review, cell: (row) => <Review of={row} day={day} /> },
    {
      key: 'verified',
      title: words.verified,
      value: ({ verified }) => words.ways[verified] ?? verified,
      cell: ({ verified }) => <Status state={WAYS[verified] ?? ''} word={words.ways[verified] ?? verified} />,
    },
    {
      key: 'origin',
      title: words.origin,
      value: ({ origin }) => words.origins[origin] ?? origin,
      cell: ({ origin }) => {
        const word = words.origins[origin] ?? origin;
        return origin === 'Site' ? <Status state="Running" word={word} /> : word;
      },
    },
    { key: 'source', title: words.source, value: ({ source }) => source, cell: (row) => <Source of={row.source} /> },
  ];
}

// How much the colour of each way to read says.
const WAYS: Record<string, string> = { primary: 'Ready', copy: 'Unknown', memory: 'Degraded' };

const numberOrLine = (value: CatalogRow['values'][string] | undefined): string | number =>
  typeof value === 'number' ? value : inLine(value);

/** What tells a row from the others of its table, in one line. */
function named({ values }: CatalogRow, { key, columns }: CatalogTable['spec']): string {
  return (key.length > 0 ? key : columns).map((column) => inLine(values[column])).join(' ');
}

interface OpeningProps {
  row: CatalogRow;
  named: string;
  shown: string;
  open: (row: CatalogRow) => void;
}

function Opening({ row, named: name, shown, open }: OpeningProps): ReactNode {
  const words = useText().catalog;
  return (
    <button
      type="button"
      className="as-link"
      aria-label={words.open(name)}
      onClick={() => {
        open(row);
      }}
    >
      {shown}
    </button>
  );
}

function Cut({ text }: { text: string }): ReactNode {
  return (
    <span className="cut" title={text}>
      {text}
    </span>
  );
}

function Review({ of, day }: { of: CatalogRow; day: string }): ReactNode {
  const words = useText().catalog;
  if (isPast(of, day)) return <Status state="Degraded" word={words.past(of.review)} />;
  return of.review === 'settled' ? words.settled : of.review;
}

/** A source is text unless it is an address of https: nothing else is followed. `whole`: shown with its path. */
function Source({ of, whole = false }: { of: string; whole?: boolean }): ReactNode {
  const words = useText().catalog;
  const host = hostOf(of);
  if (!host) return of;
  const short = whole ? {} : { title: of, 'aria-label': words.opensSource(host) };
  return (
    <a href={of} target="_blank" rel="noopener noreferrer" {...short}>
      {whole ? of : host}
    </a>
  );
}

interface DetailsProps {
  of: CatalogRow;
  title: string;
  columns: Column<CatalogRow>[];
  close: () => void;
}

/** All that a row says, in full. */
function Details({ of, title, columns, close }: DetailsProps): ReactNode {
  const shown = ({ key, value, cell }: Column<CatalogRow>): ReactNode => {
    const said = of.values[key];
    if (Array.isArray(said)) return <Lines of={said} />;
    return key in of.values ? value(of) : (cell?.(of) ?? value(of));
  };
  return (
    <ReadDialog title={title} close={close}>
      <Facts
        of={columns.map((column) => [
          column.title,
          column.key === 'source' ? <Source key="source" of={of.source} whole /> : shown(column),
        ])}
      />
    </ReadDialog>
  );
}

function Lines({ of }: { of: string[] }): ReactNode {
  return (
    <ul className="bullets">
      {of.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}
