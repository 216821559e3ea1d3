// A list as a file for a spreadsheet.

import type { Column } from './Table';

/** The cells as CSV (RFC 4180). A cell that a spreadsheet would take for a formula is kept from being one. */
export function csv<T>(columns: Column<T>[], rows: T[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map((column) => String(column.value(row)))),
  ];
  return lines.map((cells) => cells.map(quoted).join(',')).join('\r\n') + '\r\n';
}

function quoted(cell: string): string {
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Hand the list to the browser as a download. */
export function saveCsv<T>(name: string, columns: Column<T>[], rows: T[]): void {
  // The mark tells spreadsheets that this is UTF-8.
  const url = URL.createObjectURL(new Blob(['\ufeff', csv(columns, rows)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name}.csv`;
  link.click();
  URL.revokeObjectURL(url);
}
