import type { Readable } from 'node:stream'
import { type PageRow, positionOf } from '../../repositories/page-records.ts'
import type { RecordPosition } from '../../repositories/page-token.ts'
import { jsonData } from './json-data.ts'
import type { CountedBody } from './row-count.ts'

/**
 * A page of records as `{"data":[…],"nextCursor":"…"}`, the cursor null on the last page: see {@link jsonData}.
 *
 * @param rows of the page and one more, as `pageRecords` gives them.
 */
export function jsonPage(
  rows: Readable,
  limit: number,
  writeToken: (position: RecordPosition) => string,
): CountedBody {
  return jsonData<PageRow>(rows, limit, (isCut, last) => {
    const cursor = isCut && last !== undefined ? writeToken(positionOf(last)) : null
    return `"nextCursor":${JSON.stringify(cursor)}`
  })
}
