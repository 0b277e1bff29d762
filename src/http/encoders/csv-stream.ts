import type { Readable } from 'node:stream'
import highland from 'highland'

/** Rows joined into one chunk of the response. */
const ROWS_PER_CHUNK = 500
const NEEDS_QUOTES = /[",\r\n]/

/**
 * Rows of text columns as CSV (RFC 4180) with a line of names first. Null is an empty field, and the empty text `""`, as PostgreSQL's COPY has them.
 *
 * Nothing comes before the first rows or their end, so that a query that fails at once can still be answered with its status. Later, an error of the rows destroys the body;
 * destroying the body destroys the rows.
 */
export function csvStream(rows: Readable, names: readonly string[]): Readable {
  let before = `${names.join(',')}\r\n`
  const text = highland<readonly (string | null)[]>(rows)
    .batch(ROWS_PER_CHUNK)
    .append([])
    .map((batch) => {
      const lines = before + batch.map((row) => `${row.map(field).join(',')}\r\n`).join('')
      before = ''
      return lines
    })
    .reject((lines) => lines === '')
  const body = text.toNodeStream({ objectMode: false }) as Readable
  rows.once('error', (error) => body.destroy(error))
  body.once('close', () => rows.destroy())
  return body
}

function field(value: string | null): string {
  if (value === null) return ''
  return value === '' || NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}
