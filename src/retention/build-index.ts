import pg from 'pg'
import type { MissingIndex } from './missing-indexes.ts'

/**
 * Builds an index while rows are read and written, and takes away first what a broken off build has left. When it throws, there may be such
 * a rest again: PostgreSQL does not use it for queries.
 */
export async function buildIndex(
  client: Pick<pg.ClientBase, 'query'>,
  { invalid, name, partition, definition }: MissingIndex,
): Promise<void> {
  // Each a statement of its own: neither may stand in a transaction.
  if (invalid !== null) await client.query(`drop index concurrently if exists ${invalid}`)
  await client.query(
    `create index concurrently ${pg.escapeIdentifier(name)} on ${partition} using ${definition}`,
  )
}
