import type { Readable } from 'node:stream'
import highland from 'highland'

export type RecordFormat = 'json' | 'ndjson'

/** Rows joined into one chunk of the response, where they are small. */
const ROWS_PER_CHUNK = 500

/**
 * Rows of one column, each a JSON text, as a response body: `ndjson`, one a line; `json`, `{"data":[…],"nextCursor":null}`.
 *
 * Nothing comes before the first rows or their end, so that a query that fails at once can still be answered with its status. Later, an
 * error of the rows destroys the body, so that a cut answer is never taken for a whole one; destroying the body destroys the rows.
 */
export function jsonStream(rows: Readable, format: RecordFormat, rowsPerChunk = ROWS_PER_CHUNK): Readable {
  const batches = highland<[string]>(rows).batch(rowsPerChunk)
  const text = format === 'ndjson' ? batches.map(lines) : page(batches)
  const body = text.toNodeStream({ objectMode: false }) as Readable
  rows.once('error', (error) => body.destroy(error))
  body.once('close', () => rows.destroy())
  return body
}

function lines(batch: readonly [string][]): string {
  return `${joined(batch, '\n')}\n`
}

/** The empty batch at the end closes the page. */
function page(batches: Highland.Stream<[string][]>): Highland.Stream<string> {
  let before = '{"data":[\n'
  return batches.append([]).map((batch) => {
    if (batch.length === 0) return `${before === ',\n' ? '' : before}\n],"nextCursor":null}\n`
    const text = before + joined(batch, ',\n')
    before = ',\n'
    return text
  })
}

function joined(batch: readonly [string][], separator: string): string {
  return batch.map(([json]) => json).join(separator)
}
