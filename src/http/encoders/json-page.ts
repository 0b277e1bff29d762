import { Readable } from 'node:stream'
import { type PageRow, positionOf } from '../../repositories/page-records.ts'
import type { RecordPosition } from '../../repositories/page-token.ts'
import { inChunks } from './in-chunks.ts'

/**
 * A page of records as a response body: `{"data":[…],"nextCursor":"…"}`, the cursor null on the last page. What is held is a chunk, whatever the page is.
 *
 * Nothing comes before the first record or the end of them, so that a query that fails at once can still be answered with its status; an error later destroys the body.
 *
 * @param rows of the page and one more, as `pageRecords` gives them.
 */
export function jsonPage(
  rows: Readable,
  limit: number,
  writeToken: (position: RecordPosition) => string,
): Readable {
  return Readable.from(inChunks(page(rows, limit, writeToken)), { objectMode: false })
}

async function* page(
  rows: Readable,
  limit: number,
  writeToken: (position: RecordPosition) => string,
): AsyncGenerator<string> {
  let last: PageRow | undefined
  let records = 0
  for await (const row of rows as AsyncIterable<PageRow>) {
    records += 1
    // The row beyond the page is the last one: leaving it unread would cancel the query, and cost its connection.
    if (records > limit) continue
    yield `${records === 1 ? '{"data":[\n' : ',\n'}${row[0]}`
    last = row
  }
  const cursor = records > limit && last !== undefined ? writeToken(positionOf(last)) : null
  yield `${records === 0 ? '{"data":[\n' : ''}\n],"nextCursor":${JSON.stringify(cursor)}}\n`
}
