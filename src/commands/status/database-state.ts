import type pg from 'pg'
import { messageOf, ObservatoryError } from '../../errors.ts'
import { type MigrationStatus, migrationStatus } from '../../migrate.ts'
import { readTableStates, type TableState } from './table-states.ts'

/** How far the tables are, or why that cannot be told: a database of a newer program, a changed file. */
export type MigrationState = MigrationStatus | { readonly problem: string }

export interface DeadLetterCount {
  readonly signal: string
  readonly reason: string
  readonly count: number
}

export interface LedgerState {
  /** Ranges of entries that are known to be ingested. */
  readonly ranges: number
  readonly bytes: number
  /** When the oldest of them was committed, RFC 3339; null without any. */
  readonly oldest: string | null
}

export interface DatabaseState {
  readonly migrations: MigrationState
  readonly tables: readonly TableState[]
  /** Records refused in the last 24 hours and neither replayed nor purged since, most frequent reason first. */
  readonly deadLetters: readonly DeadLetterCount[]
  readonly ledger: LedgerState | null
}

const DEAD_LETTERS = `
  select signal, reason, count(*)::int as count from dead_letters
  where dead_lettered_at > now() - interval '24 hours' and replayed_at is null and purged_at is null
  group by signal, reason order by count desc, signal, reason`

/** What the database holds. Works on one that was never migrated, too. @throws what pg throws. */
export async function readDatabaseState(client: pg.Client): Promise<DatabaseState> {
  const tables = await readTableStates(client)
  const ledger = tables.find(({ table }) => table === 'ingest_ledger')
  const hasDeadLetters = tables.some(({ table }) => table === 'dead_letters')
  return {
    migrations: await readMigrations(client),
    tables,
    deadLetters: hasDeadLetters ? (await client.query<DeadLetterCount>(DEAD_LETTERS)).rows : [],
    ledger: ledger === undefined ? null : await readLedger(client, ledger),
  }
}

/** How far the tables are. @throws what pg throws. */
export async function readMigrations(client: pg.Client): Promise<MigrationState> {
  try {
    return await migrationStatus(client)
  } catch (error) {
    if (error instanceof ObservatoryError) return { problem: messageOf(error) }
    throw error
  }
}

async function readLedger(client: pg.Client, { rows: ranges, bytes }: TableState): Promise<LedgerState> {
  const { rows } = await client.query<{ oldest: Date | null }>(
    'select min(committed_at) as oldest from ingest_ledger',
  )
  return { ranges, bytes, oldest: rows[0]?.oldest?.toISOString() ?? null }
}
