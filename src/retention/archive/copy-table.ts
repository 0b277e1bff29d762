import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { COPY_HEADER, COPY_TRAILER, type CopiedRow, copiedRows } from './copied-rows.ts'
import type { ArchivedColumn } from './rows-file.ts'

/** The columns of a table, as the catalogue has them. */
export async function columnsOf(client: pg.ClientBase, table: string): Promise<readonly ArchivedColumn[]> {
  const { rows } = await client.query<ArchivedColumn>(
    `select attname as name, format_type(atttypid, null) as type from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [table],
  )
  return rows
}

/** The columns as SQL has a list of them. @param of the name of the table in the query. */
export function columnList(columns: readonly ArchivedColumn[], of?: string): string {
  return columns
    .map(({ name }) => `${of === undefined ? '' : `${of}.`}"${name.replaceAll('"', '""')}"`)
    .join(', ')
}

/** The rows of a query, which begins when they are read: whoever does not read them to the end closes the connection. */
export async function* copyOut(client: pg.ClientBase, query: string): AsyncGenerator<readonly CopiedRow[]> {
  yield* copiedRows(
    client.query(copyTo(`copy (${query}) to stdout (format binary)`)) as AsyncIterable<Buffer>,
  )
}

/** Copies rows into a table. @returns how many. @throws what the rows throw, or the server: the transaction is then aborted. */
export async function copyIn(
  client: pg.ClientBase,
  { table, columns }: { readonly table: string; readonly columns: readonly ArchivedColumn[] },
  rows: AsyncIterable<readonly Buffer[]>,
): Promise<number> {
  const sink = client.query(copyFrom(`copy ${table} (${columnList(columns)}) from stdin (format binary)`))
  await pipeline(Readable.from(chunksOf(rows), { objectMode: true, highWaterMark: 1 }), sink)
  return sink.rowCount ?? 0
}

/** Of COPY: small enough to push back. */
const CHUNK_BYTES = 256 * 1024

async function* chunksOf(rows: AsyncIterable<readonly Buffer[]>): AsyncGenerator<Buffer> {
  yield COPY_HEADER
  for await (const some of rows) {
    let held: Buffer[] = []
    let bytes = 0
    for (const row of some) {
      held.push(row)
      bytes += row.length
      if (bytes < CHUNK_BYTES) continue
      yield Buffer.concat(held)
      held = []
      bytes = 0
    }
    if (bytes > 0) yield Buffer.concat(held)
  }
  yield COPY_TRAILER
}
