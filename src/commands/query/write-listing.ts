import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { csvBody } from '../../http/encoders/csv-body.ts'
import { ndjsonLines } from '../../http/encoders/ndjson-body.ts'
import { parquetBody } from '../../http/encoders/parquet-body.ts'
import { rowsBody } from '../../http/encoders/rows-body.ts'
import type { Listing } from './listing.ts'
import { paintFor } from './paint.ts'
import type { QueryOutput } from './query-output.ts'
import { counted, type Tally, withReadProgress } from './read-progress.ts'
import { readRow } from './table-column.ts'
import { tableLines } from './table-lines.ts'

/** As many as a person looks through. */
const TERMINAL_LIMIT = 100
/** Of a terminal that does not say. */
const USUAL_WIDTH = 80

/** Writes what a query lists. A slow reader slows the query; whatever there is, little of it is held. */
export async function writeListing<T>(
  listing: Listing<T>,
  limit: number | undefined,
  output: QueryOutput,
): Promise<void> {
  const { noun } = listing
  await withReadProgress({ ...output, noun }, (tally) =>
    output.format === 'table'
      ? writeTable(listing, limit, output, tally)
      : writeAll(listing, limit, output, tally),
  )
}

async function writeAll<T>(
  { open, csv, parquet = [] }: Listing<T>,
  limit: number | undefined,
  { format, stdout, signal }: QueryOutput,
  tally: Tally,
): Promise<void> {
  const form = format === 'csv' || format === 'parquet' ? format : 'json'
  const rows = await open({ form, limit: limit ?? null, isOrdered: false, signal })
  const body = Readable.from(counted(rows, tally))
  const bodies = {
    json: () => rowsBody(body, { encode: ndjsonLines }),
    csv: () => csvBody(body, csv),
    parquet: () => parquetBody(body, parquet),
  }
  await pipeline(bodies[form](), stdout, { end: false })
}

async function writeTable<T>(
  { noun, first, columns, open }: Listing<T>,
  limit: number | undefined,
  { stdout, stderr, signal }: QueryOutput,
  tally: Tally,
): Promise<void> {
  const most = limit ?? (stdout.isTTY ? TERMINAL_LIMIT : undefined)
  // One more says whether there are more.
  const asked = limit === undefined && most !== undefined ? most + 1 : (most ?? null)
  const rows = await open({ form: 'json', limit: asked, isOrdered: true, signal })
  const options = {
    width: stdout.isTTY ? stdout.columns || USUAL_WIDTH : undefined,
    paint: paintFor(stdout),
  }
  const shown = recordsOf<T>(counted(rows, tally), most)
  await pipeline(tableLines(shown, columns, options), stdout, { end: false })
  if (tally.rows === 0) stderr.write(`no ${noun} match\n`)
  else if (most !== undefined && tally.rows > most)
    stderr.write(
      `${first} ${most} ${noun} are shown, and there are more: --limit ${10 * most} shows more, a pipe or a file gets all\n`,
    )
}

/** Reads to the end: leaving a row unread would cancel the query. */
async function* recordsOf<T>(rows: AsyncIterable<readonly [string]>, most = Number.POSITIVE_INFINITY) {
  let count = 0
  for await (const [json] of rows) {
    count += 1
    if (count <= most) yield readRow<T>(json)
  }
}
