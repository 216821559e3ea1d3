// What people write into a field of several lines or words, taken apart; and a line that cannot be read, told as what the
// server refuses is.

import { ApiError } from './http';

/** The lines of a text, without the empty ones. */
export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

/** The words of a text; commas and semicolons part them, too. */
export function wordsOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter(Boolean);
}

/** A line, its message, cannot be read. */
export class BadLine extends Error {}

/** What `read` makes of a text; a BadLine becomes an ApiError with what `wrong` says of the line. */
export function readable<T>(read: () => T, wrong: (line: string) => string): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof BadLine)) throw error;
    throw new ApiError(422, 'Invalid', wrong(error.message));
  }
}
