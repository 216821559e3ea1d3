import { expect, test } from 'vitest';
import { csv } from '../src/parts/csv';
import type { Column } from '../src/parts/Table';

const columns: Column<string>[] = [{ key: 'a', title: 'Name', value: (row) => row }];

test('cells with commas, quotes and line ends are quoted', () => {
  expect(csv(columns, ['a', 'b,c', 'd"e', 'f\ng'])).toBe('Name\r\na\r\n"b,c"\r\n"d""e"\r\n"f\ng"\r\n');
});

test.each(['=1+1', '+1', '-1', '@x', '\tx'])('%j is no formula for a spreadsheet', (cell) => {
  expect(csv(columns, [cell]).split('\r\n')[1]).toMatch(/^"?'/);
});
