import type { Readable } from 'node:stream'
import { problemOf } from '../problem.ts'
import type { CountedBody } from './row-count.ts'
import { rowsBody } from './rows-body.ts'

/**
 * Rows of one column, each a JSON text, one a line: see {@link rowsBody}. An answer that is cut off says so in a last line, `{"error":{"status","title","detail"}}`, where it still can;
 * whether it does or not, its connection ends without the end of the body.
 */
export function ndjsonBody(rows: Readable, rowsPerChunk?: number): CountedBody {
  return rowsBody<readonly [string]>(rows, {
    encode: ndjsonLines,
    lastLine: (error) => `${JSON.stringify({ error: problemOf(error as Error) })}\n`,
    ...(rowsPerChunk !== undefined && { rowsPerChunk }),
  })
}

/** Rows of one column, each a JSON text, one a line. */
export function ndjsonLines(rows: readonly (readonly [string])[]): string {
  return `${rows.map(([json]) => json).join('\n')}\n`
}
