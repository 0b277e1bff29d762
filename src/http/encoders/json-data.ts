import { Readable } from 'node:stream'
import { inChunks } from './in-chunks.ts'
import { type CountedBody, RowCount } from './row-count.ts'

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
): CountedBody {
  const counted = new RowCount()
  const texts = data(rows as AsyncIterable<Row>, limit, { tail, counted })
  return Object.assign(Readable.from(inChunks(texts), { objectMode: false }), { counted })
}

async function* data<Row extends readonly [json: string, ...rest: unknown[]]>(
  rows: AsyncIterable<Row>,
  limit: number,
  {
    tail,
    counted,
  }: { readonly tail: (isCut: boolean, last: Row | undefined) => string; readonly counted: RowCount },
): AsyncGenerator<string> {
  let last: Row | undefined
  let count = 0
  for await (const row of rows) {
    count += 1
    // The row beyond the limit is the last one: leaving it unread would cancel the query, and cost its connection.
    if (count > limit) continue
    counted.add(1)
    yield `${count === 1 ? '{"data":[\n' : ',\n'}${row[0]}`
    last = row
  }
  yield `${count === 0 ? '{"data":[\n' : ''}\n],${tail(count > limit, last)}}\n`
}
