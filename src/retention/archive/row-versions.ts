import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { ArchivedColumn } from './rows-file.ts'

export interface RowVersions {
  readonly rows: number
  /** Equal as long as no row was added, changed or removed, and no column. 64 hex digits. */
  readonly versions: string
}

/**
 * Which versions of rows a table has: where each of them lies, and the transaction that wrote it (ctid and xmin; PostgreSQL documentation, "System Columns"). A row that is changed gets another version, and freezing
 * leaves both as they are, so that one pass over the rows, of which no value is read, tells whether they are what they were. What moves rows (VACUUM FULL, CLUSTER, another server) makes them look changed,
 * which costs a comparison of all that is in them.
 */
export async function rowVersions(
  client: Pick<pg.ClientBase, 'query'>,
  name: string,
  columns: readonly ArchivedColumn[],
): Promise<RowVersions> {
  const { rows: counted } = await client.query<{ rows: number; sum: string }>(
    `select count(*)::float8 as rows, coalesce(sum(hash_record_extended(row(ctid, xmin), 0)), 0)::text as sum
       from only ${name}`,
  )
  const { rows, sum } = counted[0] ?? { rows: 0, sum: '' }
  const versions = createHash('sha256')
    .update(JSON.stringify([columns, rows, sum]))
    .digest('hex')
  return { rows, versions }
}
