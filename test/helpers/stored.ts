import type pg from 'pg'
import { expect } from 'vitest'
import { formatEntryId } from '../../src/models/stream-entry.ts'
import { unpackEntries } from '../../src/writers/packed-entries.ts'
import { withPostgres } from './postgres.ts'

/** Rows of a query on a connection of its own. */
export async function select<R extends pg.QueryResultRow>(
  databaseUrl: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  return withPostgres(databaseUrl, async (client) => (await client.query<R>(text, [...values])).rows)
}

/** What the ledger lists of a stream, `id:crc` each, in order; those listed twice are there twice. */
export async function listedEntries(databaseUrl: string, stream: string): Promise<string[]> {
  const rows = await select<{ entries: Buffer; entry_count: number }>(
    databaseUrl,
    'select entries, entry_count from ingest_ledger where stream = $1',
    [stream],
  )
  return rows
    .flatMap(({ entries, entry_count }) => {
      const listed = unpackEntries(entries)
      expect(listed, 'entry_count').toHaveLength(entry_count)
      return listed.map(({ id, crc }) => `${formatEntryId(id)}:${crc}`)
    })
    .sort()
}

/** Fails when the counts of a stream's ledger rows are not those of the rows and letters; the table must hold no other stream's. */
export async function expectLedgerCounts(databaseUrl: string, stream: string, table: string): Promise<void> {
  const [counts] = await select(
    databaseUrl,
    `select (select count(*)::int from ${table}) as rows,
            (select count(*)::int from dead_letters where stream = $1) as letters,
            (select coalesce(sum(row_count), 0)::int from ingest_ledger where stream = $1) as ledger_rows,
            (select coalesce(sum(letter_count), 0)::int from ingest_ledger where stream = $1) as ledger_letters`,
    [stream],
  )
  expect(counts).toMatchObject({ ledger_rows: counts?.rows, ledger_letters: counts?.letters })
}

/** The ledger rows of a fork whose ids the fork below does not cover. There must be none, or fork 0 could not tell what is ingested. */
export async function findForkGaps(
  client: Pick<pg.ClientBase, 'query'>,
  stream: string,
): Promise<{ fork: number; ids: string }[]> {
  const { rows } = await client.query<{ fork: number; ids: string }>(
    `select above.fork, above.ids::text from ingest_ledger above
      where above.stream = $1 and above.fork > 0 and not exists (
        select from (select range_agg(below.ids) as ids from ingest_ledger below
                      where below.stream = above.stream and below.fork = above.fork - 1) covered
         where above.ids <@ covered.ids)`,
    [stream],
  )
  return rows
}
