import { Readable } from 'node:stream'
import { inChunks } from './in-chunks.ts'

/**
 * Rows whose first column is JSON text as a response body: `{"data":[…]` and what `tail` has. What is held is a chunk, whatever there is.
 *
 * Nothing comes before the first row or the end of them, so that a query that fails at once can still be answered with its status; an error later destroys the body.
 *
 * @param rows as many as `limit` says and one more, which says that there are more.
 * @param tail gets the last row that is shown.
 */
export function jsonData<Row extends readonly [json: string, ...rest: unknown[]]>(
  rows: Readable,
  limit: number,
  tail: (isCut: boolean, last: Row | undefined) => string,
): Readable {
  return Readable.from(inChunks(data(rows as AsyncIterable<Row>, limit, tail)), { objectMode: false })
}

async function* data<Row extends readonly [json: string, ...rest: unknown[]]>(
  rows: AsyncIterable<Row>,
  limit: number,
  tail: (isCut: boolean, last: Row | undefined) => string,
): AsyncGenerator<string> {
  let last: Row | undefined
  let count = 0
  for await (const row of rows) {
    count += 1
    // The row beyond the limit is the last one: leaving it unread would cancel the query, and cost its connection.
    if (count > limit) continue
    yield `${count === 1 ? '{"data":[\n' : ',\n'}${row[0]}`
    last = row
  }
  yield `${count === 0 ? '{"data":[\n' : ''}\n],${tail(count > limit, last)}}\n`
}
