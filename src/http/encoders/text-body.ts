import { Readable } from 'node:stream'
import { type CountedBody, RowCount } from './row-count.ts'

/** A text that is there as a whole as a response body. @param rows that it is made of. */
export function textBody(text: string, rows: number): CountedBody {
  const counted = new RowCount()
  if (rows > 0) counted.add(rows)
  return Object.assign(Readable.from([Buffer.from(text)], { objectMode: false }), { counted })
}
