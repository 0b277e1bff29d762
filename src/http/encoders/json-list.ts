import type { Readable } from 'node:stream'
import { jsonData } from './json-data.ts'
import type { CountedBody } from './row-count.ts'

/** Rows of one column as `{"data":[…],"nextCursor":null}`, with `"isCut":true` where there are more than `limit`: see {@link jsonData}. */
export function jsonList(rows: Readable, limit: number): CountedBody {
  return jsonData(rows, limit, (isCut) => `${isCut ? '"isCut":true,' : ''}"nextCursor":null`)
}
