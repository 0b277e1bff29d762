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
  const batches = highland<[string]>(rows).batch(ROWS_PER_CHUNK)
  const text = format === 'ndjson' ? batches.map(lines) : page(batches)
  const body = text.toNodeStream({ objectMode: false }) as Readable
  rows.once('error', (error) => body.destroy(error))
  body.once('close', () => rows.destroy())
  return body
}

function lines(batch: readonly [string][]): string {
  return `${joined(batch, '\n')}\n`
}

/** highland's own `intersperse` never ends before an `append`: the separator is put in here. */
function page(batches: Highland.Stream<[string][]>): Highland.Stream<string> {
  let separator = ''
  const data = batches.map((batch) => {
    const text = separator + joined(batch, ',\n')
    separator = ',\n'
    return text
  })
  return highland(['{"data":[\n']).concat(data).append('\n],"nextCursor":null}\n')
}

function joined(batch: readonly [string][], separator: string): string {
  return batch.map(([json]) => json).join(separator)
}
