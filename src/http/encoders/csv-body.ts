import type { Readable } from 'node:stream'
import type { CountedBody } from './row-count.ts'
import { rowsBody } from './rows-body.ts'

const NEEDS_QUOTES = /[",\r\n]/

/**
 * Rows of text columns as CSV (RFC 4180) with a line of names first: see {@link rowsBody}. Null is an empty field, and the empty text `""`, as PostgreSQL's COPY has them.
 */
export function csvBody(rows: Readable, names: readonly string[], rowsPerChunk?: number): CountedBody {
  return rowsBody<readonly (string | null)[]>(rows, {
    head: csvLine(names),
    encode: (batch) => batch.map(csvLine).join(''),
    ...(rowsPerChunk !== undefined && { rowsPerChunk }),
  })
}

/** One row of CSV with its line end. */
export function csvLine(fields: readonly (string | null)[]): string {
  return `${fields.map(field).join(',')}\r\n`
}

function field(value: string | null): string {
  if (value === null) return ''
  return value === '' || NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}
