import type pg from 'pg'
import { PARTITIONED_TABLES } from '../retention/partitions.ts'

/** A fetch that is late by this much belongs to an audit that is frozen: the server ends it, for a snapshot keeps VACUUM from its work. */
const IDLE_MAX = '10min'

/**
 * Begins a transaction that sees one moment of all tables. It is read only and takes no lock but the weakest, before its snapshot: so the
 * partitions that are there are those of the snapshot, and stay until its end.
 */
export async function beginSnapshot(client: pg.ClientBase): Promise<void> {
  await client.query('begin isolation level repeatable read read only')
  await client.query(
    `lock table ${PARTITIONED_TABLES.join(', ')}, dead_letters, ingest_ledger, resources in access share mode`,
  )
  await client.query(`set local idle_in_transaction_session_timeout = '${IDLE_MAX}'`)
  // Everything is read to the end: not the first row fast, but all of them.
  await client.query('set local cursor_tuple_fraction = 1')
}

/** The rows of a query, each an array, in pages of a cursor: several of one transaction can be read side by side. */
export async function* fetchRows<R extends readonly unknown[]>(
  client: pg.ClientBase,
  query: { readonly cursor: string; readonly text: string; readonly values: readonly unknown[] },
  pageSize: number,
): AsyncGenerator<readonly R[]> {
  await client.query(`declare ${query.cursor} no scroll cursor for ${query.text}`, [...query.values])
  for (;;) {
    const { rows } = await client.query<R>({
      text: `fetch ${pageSize} from ${query.cursor}`,
      rowMode: 'array',
    } as pg.QueryArrayConfig)
    if (rows.length > 0) yield rows
    if (rows.length < pageSize) break
  }
  await client.query(`close ${query.cursor}`)
}
