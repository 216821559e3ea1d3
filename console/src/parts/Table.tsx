// A list: search, order, columns, export, and only the rows that can be seen are in the page. The search and the columns are
// in the address, so that a reload or a link shows the same.

import { useVirtualizer } from '@tanstack/react-virtual';
import type { ReactNode } from 'react';
import { memo, useMemo, useRef, useState } from 'react';
import { useSearchParams } from 'react-router';
import { Button } from './Button';
import { useText } from '../text';
import type { Order } from './arrange';
import { arranged } from './arrange';
import { saveCsv } from './csv';
import { Notice } from './Notice';

export interface Column<T> {
  key: string;
  title: string;
  /** What is searched, sorted and exported. */
  value: (row: T) => string | number;
  /** The value in the reader's words: searched as well. */
  word?: (row: T) => string;
  /** What is shown, when that is more than the value. */
  cell?: (row: T) => ReactNode;
  /** Left out on a phone. */
  wide?: boolean;
}

interface Props<T> {
  label: string;
  rows: T[];
  /** The same ones as long as they say the same: then a change of one row shows that row anew, and no other. */
  columns: Column<T>[];
  rowKey: (row: T) => string;
  /** What to show when there is nothing at all. */
  empty: ReactNode;
  actions?: ReactNode;
  exportName?: string;
  /** Whether the rows come in an order that means something. */
  kept?: boolean;
}

const ROW_HEIGHT = 44;

export function Table<T>({
  label,
  rows,
  columns,
  rowKey,
  empty,
  actions,
  exportName,
  kept = false,
}: Props<T>): ReactNode {
  const text = useText();
  const [parameters, setParameters] = useSearchParams();
  const [order, setOrder] = useState<Order>({ key: kept ? '' : (columns[0]?.key ?? ''), down: false });
  const search = parameters.get('q') ?? '';
  const hidden = parameters.get('hide') ?? '';
  const shown = useMemo(() => arranged(rows, columns, search, order), [rows, columns, search, order]);
  const seen = useMemo(() => columns.filter(({ key }) => !hidden.split(',').includes(key)), [columns, hidden]);
  if (rows.length === 0) {
    return (
      <>
        {actions !== undefined && <div className="table-bar">{actions}</div>}
        {empty}
      </>
    );
  }
  const set = (name: 'q' | 'hide', value: string): void => {
    const next = new URLSearchParams(parameters);
    if (value) next.set(name, value);
    else next.delete(name);
    // At once: a field whose value is in the address would lose what is typed before it is there.
    setParameters(next, { replace: true, flushSync: true });
  };
  return (
    <>
      <Bar
        actions={actions}
        search={search}
        hidden={hidden}
        set={set}
        columns={columns}
        save={
          exportName === undefined
            ? null
            : () => {
                saveCsv(exportName, seen, shown);
              }
        }
      />
      <Rows label={label} rows={shown} columns={seen} rowKey={rowKey} order={order} setOrder={setOrder} />
      {shown.length === 0 && <Notice title={text.list.nothingFound} />}
      <p className="table-count" role="status">
        {text.list.count(shown.length, rows.length)}
      </p>
    </>
  );
}

interface BarProps<T> {
  actions: ReactNode;
  search: string;
  hidden: string;
  set: (name: 'q' | 'hide', value: string) => void;
  columns: Column<T>[];
  /** Saves the list as a file; null where that makes no sense, and columns are not chosen there. */
  save: (() => void) | null;
}

function Bar<T>({ actions, search, hidden, set, columns, save }: BarProps<T>): ReactNode {
  const text = useText();
  return (
    <div className="table-bar">
      {actions}
      <span className="table-space" />
      <input
        className="field table-search"
        type="search"
        value={search}
        placeholder={text.list.searchHelp}
        aria-label={text.list.search}
        onChange={(event) => {
          set('q', event.target.value);
        }}
      />
      {save && (
        <>
          <ColumnChoice
            columns={columns}
            hidden={hidden}
            change={(keys) => {
              set('hide', keys);
            }}
          />
          <Button variant="outline" onClick={save}>
            {text.list.export}
          </Button>
        </>
      )}
    </div>
  );
}

interface ChoiceProps<T> {
  columns: Column<T>[];
  /** The keys of the columns that are not shown, with commas. */
  hidden: string;
  change: (hidden: string) => void;
}

/** Which columns are shown; the first one, which names the row, always is. */
function ColumnChoice<T>({ columns, hidden, change }: ChoiceProps<T>): ReactNode {
  const text = useText();
  const keys = hidden.split(',').filter(Boolean);
  return (
    <details className="column-choice">
      <summary className="t-button t-button--variant-outline">{text.list.columns}</summary>
      <fieldset>
        <legend className="hidden">{text.list.columns}</legend>
        {columns.slice(1).map(({ key, title }) => (
          <label key={key}>
            <input
              type="checkbox"
              checked={!keys.includes(key)}
              onChange={({ target }) => {
                change((target.checked ? keys.filter((one) => one !== key) : [...keys, key]).join(','));
              }}
            />
            {title}
          </label>
        ))}
      </fieldset>
    </details>
  );
}

interface RowsProps<T> {
  label: string;
  rows: T[];
  columns: Column<T>[];
  rowKey: (row: T) => string;
  order: Order;
  setOrder: (order: Order) => void;
}

function Rows<T>({ label, rows, columns, rowKey, order, setOrder }: RowsProps<T>): ReactNode {
  const outside = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- nothing here is memoized by a compiler
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => outside.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    getItemKey: (index) => rowKey(rows[index] as T),
  });
  const visible = virtual.getVirtualItems();
  const above = visible[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (visible.at(-1)?.end ?? 0);
  return (
    // A list that scrolls has to be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="table-outside" ref={outside} tabIndex={0} role="region" aria-label={label}>
      <table className="table" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Heading key={column.key} column={column} order={order} setOrder={setOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <Gap height={above} columns={columns.length} />}
          {visible.map((item) => (
            <Row key={item.key} row={rows[item.index] as T} index={item.index} columns={columns} />
          ))}
          {below > 0 && <Gap height={below} columns={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

function Gap({ height, columns }: { height: number; columns: number }): ReactNode {
  return (
    <tr aria-hidden="true">
      <td className="table-gap" style={{ height }} colSpan={columns} />
    </tr>
  );
}

function OneRow<T>({ row, index, columns }: { row: T; index: number; columns: Column<T>[] }): ReactNode {
  return (
    <tr aria-rowindex={index + 2}>
      {columns.map((column) => (
        <td key={column.key} className={column.wide ? 'wide' : undefined}>
          {column.cell ? column.cell(row) : column.value(row)}
        </td>
      ))}
    </tr>
  );
}

const Row = memo(OneRow) as typeof OneRow;

interface HeadingProps<T> {
  column: Column<T>;
  order: Order;
  setOrder: (order: Order) => void;
}

function Heading<T>({ column, order, setOrder }: HeadingProps<T>): ReactNode {
  const text = useText();
  const chosen = order.key === column.key;
  const direction = order.down ? 'descending' : 'ascending';
  return (
    <th scope="col" aria-sort={chosen ? direction : 'none'} className={column.wide ? 'wide' : undefined}>
      <button
        type="button"
        className="table-sort"
        title={text.list.sort(column.title)}
        onClick={() => {
          setOrder({ key: column.key, down: chosen && !order.down });
        }}
      >
        {column.title}
        <span aria-hidden="true">{chosen ? (order.down ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  );
}
