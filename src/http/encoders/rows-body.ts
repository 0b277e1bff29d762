import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import highland from 'highland'
import { type CountedBody, RowCount } from './row-count.ts'

/** Rows joined into one chunk of the response, where they are small. */
const ROWS_PER_CHUNK = 500
/** How long a last line has to reach a client that reads, before its connection is destroyed. */
const LAST_LINE_MS = 100

/** How rows become text. */
export interface RowsEncoding<Row> {
  /** Text before the first row. */
  readonly head?: string
  readonly encode: (rows: readonly Row[]) => string
  /** A last line for an answer that is cut off, where the format has room for one. */
  readonly lastLine?: (error: unknown) => string
  readonly rowsPerChunk?: number
}

/**
 * Rows as a response body, in constant memory; a slow reader slows the rows.
 *
 * Nothing comes before the first rows or their end, so that a query that fails at once can still be answered with its status. Later, an
 * error of the rows destroys the body, so that a cut answer is never taken for a whole one; destroying the body destroys the rows.
 */
export function rowsBody<Row>(rows: Readable, encoding: RowsEncoding<Row>): CountedBody {
  const counted = new RowCount()
  const body = Readable.from(chunks(rows, encoding, counted), { objectMode: false })
  body.once('close', () => rows.destroy())
  return Object.assign(body, { counted })
}

async function* chunks<Row>(
  rows: Readable,
  encoding: RowsEncoding<Row>,
  counted: RowCount,
): AsyncGenerator<string> {
  const { head = '', encode, lastLine, rowsPerChunk = ROWS_PER_CHUNK } = encoding
  const batches = highland<Row>(rows)
    .batch(rowsPerChunk)
    .toNodeStream({ objectMode: true, highWaterMark: 1 }) as Readable
  rows.once('error', (error) => batches.destroy(error))
  let before = head
  let hasBegun = false
  try {
    for await (const batch of batches as AsyncIterable<readonly Row[]>) {
      counted.add(batch.length)
      yield before + encode(batch)
      before = ''
      hasBegun = true
    }
    if (before !== '') yield before
  } catch (error) {
    counted.error = error
    if (hasBegun && lastLine !== undefined) {
      yield lastLine(error)
      await delay(LAST_LINE_MS)
    }
    throw error
  }
}
