import { Readable } from 'node:stream'
import { inChunks } from './in-chunks.ts'

/**
 * Rows of one column, each a JSON text, as a response body: `{"data":[…],"nextCursor":null}`, with `"isCut":true` where there are more than `limit`. What is held is a chunk, whatever
 * the list is.
 *
 * Nothing comes before the first row or the end of them, so that a query that fails at once can still be answered with its status; an error later destroys the body.
 *
 * @param rows of the list and one more, which says that it is cut.
 */
export function jsonList(rows: Readable, limit: number): Readable {
  return Readable.from(inChunks(list(rows, limit)), { objectMode: false })
}

async function* list(rows: Readable, limit: number): AsyncGenerator<string> {
  let count = 0
  for await (const [json] of rows as AsyncIterable<readonly [string]>) {
    count += 1
    // The row beyond the list is the last one: leaving it unread would cancel the query, and cost its connection.
    if (count <= limit) yield `${count === 1 ? '{"data":[\n' : ',\n'}${json}`
  }
  yield `${count === 0 ? '{"data":[\n' : ''}\n],${count > limit ? '"isCut":true,' : ''}"nextCursor":null}\n`
}
