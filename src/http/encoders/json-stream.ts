import type { Readable } from 'node:stream'
import highland from 'highland'

export type RecordFormat = 'json' | 'ndjson'

/** Rows joined into one chunk of the response. */
const ROWS_PER_CHUNK = 500

/**
 * Rows of one column, each a JSON text, as a response body: `ndjson`, one a line; `json`, `{"data":[…],"nextCursor":null}`.
 *
 * An error of the rows destroys the body, so that a cut answer is never taken for a whole one; destroying the body destroys the rows.
 */
export function jsonStream(rows: Readable, format: RecordFormat): Readable {
  const chunks = highland<[string]>(rows).batch(ROWS_PER_CHUNK)
  const joined = (separator: string) => chunks.map((batch) => batch.map(([json]) => json).join(separator))
  const text =
    format === 'ndjson'
      ? joined('\n').map((lines) => `${lines}\n`)
      : highland(['{"data":[\n'])
          .concat(joined(',\n').intersperse(',\n'))
          .concat(highland(['\n],"nextCursor":null}\n']))
  const body = text.toNodeStream({ objectMode: false }) as Readable
  rows.once('error', (error) => body.destroy(error))
  body.once('close', () => rows.destroy())
  return body
}
