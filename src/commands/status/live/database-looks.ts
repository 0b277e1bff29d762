import type pg from 'pg'
import type { TelemetrySignal } from '../../../models/telemetry-signal.ts'
import { applySession, createClient, cutConnection } from '../../../postgres-connection.ts'
import type { Settings } from '../../../settings.ts'
import { type MigrationState, readMigrations } from '../database-state.ts'
import { readTableStates, type TableState } from '../table-states.ts'
import { type LetterLook, readKeptLetters, readLettersSince } from './letter-looks.ts'
import { type PartitionLook, readPartitionLooks } from './partition-looks.ts'
import { RecentRate } from './recent-rate.ts'
import { within } from './repeated-look.ts'

/** The database at one moment. */
export interface DatabaseLook {
  readonly migrations: MigrationState
  /** Rows inserted per second; undefined when it is not known. */
  readonly writtenPerSecond: Readonly<Record<TelemetrySignal, number | undefined>>
  readonly letters: readonly LetterLook[]
  readonly tables: readonly TableState[]
  readonly partitions: ReadonlyMap<string, PartitionLook>
}

/** What takes the server longer with every row: looked at less often than the rest. */
interface SlowLook {
  readonly migrations: MigrationState
  readonly tables: readonly TableState[]
  readonly partitions: ReadonlyMap<string, PartitionLook>
  readonly keptLetters: readonly LetterLook[]
}

const STATEMENT_TIMEOUT_MS = 5000
/** A server that says nothing at all. */
const LOOK_MAX_MS = 10_000
const CLOSE_MAX_MS = 1000
/** The slow look takes at most this share of the server's time. */
const SLOW_SHARE = 0.1

const SIGNAL_TABLES = { spans: 'traces', metric_points: 'metrics', log_records: 'logs' } as const

/** Of committed rows and of those rolled back, which are few. What the server counts outlives its partitions only. */
const INSERTED = `
  select root.relname::text as name, coalesce(sum(pg_stat_get_tuples_inserted(inhrelid)), 0)::float8 as inserted
    from pg_class root
    join pg_namespace schema on schema.oid = root.relnamespace and schema.nspname = current_schema()
    left join pg_inherits on inhparent = root.oid
   where root.relname = any ($1) and root.relkind = 'p'
   group by name`

/** Looks at the database over a connection that is made again after it was lost. */
export class DatabaseLooks {
  readonly #databaseUrl: string
  readonly #settings: Settings
  #client: pg.Client | undefined
  /** By the server's clock. */
  #startedAt: Date | undefined
  #slow: SlowLook | undefined
  #slowDueAt = 0
  readonly #rates: Readonly<Record<TelemetrySignal, RecentRate>> = {
    traces: new RecentRate(),
    metrics: new RecentRate(),
    logs: new RecentRate(),
  }

  constructor(databaseUrl: string, settings: Settings) {
    this.#databaseUrl = databaseUrl
    this.#settings = settings
  }

  /** @throws what pg throws, or when it takes too long. */
  async look(): Promise<DatabaseLook> {
    const client = await this.#connected()
    try {
      return await within(LOOK_MAX_MS, 'PostgreSQL', this.#look(client))
    } catch (error) {
      this.#client = undefined
      cutConnection(client, 'The look was given up')
      throw error
    }
  }

  /** A look that goes on fails. */
  async close(): Promise<void> {
    const client = this.#client
    if (client === undefined) return
    // Of a server that is silent nobody waits for the end.
    await within(CLOSE_MAX_MS, 'PostgreSQL', client.end()).catch(() => undefined)
    cutConnection(client, 'The view was closed')
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client
    const options = {
      databaseUrl: this.#databaseUrl,
      applicationName: 'observatory status',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    }
    const client = createClient(options, LOOK_MAX_MS)
    // Known before it is connected, so that close() ends that, too.
    this.#client = client
    try {
      await client.connect()
      await applySession(client, options)
      return client
    } catch (error) {
      this.#client = undefined
      cutConnection(client, 'It could not be connected')
      throw error
    }
  }

  async #look(client: pg.Client): Promise<DatabaseLook> {
    this.#startedAt ??= (await client.query<{ now: Date }>('select now()')).rows[0]?.now ?? new Date()
    const { keptLetters, ...slow } = await this.#slowLook(client)
    const has = (table: string) => slow.tables.some((state) => state.table === table)
    const since = has('dead_letters') ? await readLettersSince(client, this.#startedAt) : []
    return {
      ...slow,
      writtenPerSecond: await this.#written(client),
      letters: joinLetters(keptLetters, since),
    }
  }

  async #slowLook(client: pg.Client): Promise<SlowLook> {
    const startedAt = performance.now()
    if (this.#slow !== undefined && startedAt < this.#slowDueAt) return this.#slow
    const tables = await readTableStates(client)
    const hasLetters = tables.some(({ table }) => table === 'dead_letters')
    this.#slow = {
      migrations: await readMigrations(client),
      tables,
      partitions: await readPartitionLooks(client, tables, this.#settings),
      keptLetters: hasLetters ? await readKeptLetters(client) : [],
    }
    const endedAt = performance.now()
    this.#slowDueAt = endedAt + (endedAt - startedAt) / SLOW_SHARE
    return this.#slow
  }

  async #written(client: pg.Client): Promise<DatabaseLook['writtenPerSecond']> {
    const { rows } = await client.query<{ name: string; inserted: number }>(INSERTED, [
      Object.keys(SIGNAL_TABLES),
    ])
    const atMs = performance.now()
    const inserted = new Map(rows.map((row) => [row.name, row.inserted]))
    const rates = Object.entries(SIGNAL_TABLES).map(
      ([table, signal]) => [signal, this.#rates[signal].add(inserted.get(table), atMs)] as const,
    )
    return Object.fromEntries(rates) as Record<TelemetrySignal, number | undefined>
  }
}

/** A letter that came after the slow look is in the second only, until the next. */
function joinLetters(kept: readonly LetterLook[], since: readonly LetterLook[]): readonly LetterLook[] {
  const byReason = new Map(kept.map((letter) => [`${letter.signal} ${letter.reason}`, letter]))
  for (const letter of since) {
    const key = `${letter.signal} ${letter.reason}`
    const known = byReason.get(key)?.kept ?? 0
    byReason.set(key, { ...letter, kept: Math.max(known, letter.kept) })
  }
  return [...byReason.values()]
}
