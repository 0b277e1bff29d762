import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { formatEntryId } from '../../src/models/stream-entry.ts'
import { unpackEntries } from '../../src/writers/packed-entries.ts'
import { type Oracle, signalOf } from './oracle.ts'

const POLL_MS = 100
/** `committed_at` is when the transaction began: one that was frozen or blocked commits this much later, at most. */
const LONGEST_TRANSACTION = '90 seconds'

/** Tells the oracle what the ledger lists as committed, a moment after it is. While PostgreSQL is away it waits. */
export class LedgerWatch {
  readonly #databaseUrl: string
  readonly #oracle: Oracle
  readonly #seen = new Set<string>()
  #isStopped = false
  readonly #running: Promise<void>

  constructor(databaseUrl: string, oracle: Oracle) {
    this.#databaseUrl = databaseUrl
    this.#oracle = oracle
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const client = new pg.Client({
        connectionString: this.#databaseUrl,
        application_name: 'oracle',
        connectionTimeoutMillis: 2000,
        query_timeout: 30_000,
      })
      client.on('error', () => undefined)
      try {
        await client.connect()
        while (!this.#isStopped) {
          await this.#look(client)
          await sleep(POLL_MS)
        }
      } catch {
        // Struck, too: again in a moment.
        await sleep(POLL_MS)
      }
      await client.end().catch(() => undefined)
    }
  }

  async #look(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ key: string; stream: string; entries: Buffer }>(
      `select md5(stream || fork || ids::text) as key, stream, entries from ingest_ledger
       where committed_at > now() - interval '${LONGEST_TRANSACTION}'
         and md5(stream || fork || ids::text) <> all ($1)`,
      [[...this.#seen].slice(-RECENT)],
    )
    for (const { key, stream, entries } of rows) {
      if (this.#seen.has(key)) continue
      this.#seen.add(key)
      const signal = signalOf(stream)
      for (const { id } of unpackEntries(entries)) this.#oracle.noteCommitted(signal, formatEntryId(id))
    }
  }
}

const RECENT = 2000
