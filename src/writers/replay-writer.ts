import type pg from 'pg'
import { classifyWriteFailure, messageOf, ObservatoryError, type WriteFailure } from '../errors.ts'
import { backoffMs, sleep } from '../lifecycle.ts'
import type { Partitions } from '../retention/partitions.ts'
import { batchEntry, type DecodedEntry } from './batch.ts'
import { BatchRows, type EncodedBatch, refusedByContent } from './batch-rows.ts'
import { CopyBuffers } from './copy-buffers.ts'
import { InternedContent } from './interned-content.ts'
import type { Interner } from './interner.ts'
import { type ReplayOutcome, replayTransaction } from './replay-transaction.ts'
import type { TelemetryTable } from './telemetry-table.ts'

/** The letters of one transaction: `entries[i]` is what the letter `letterIds[i]` was decoded to. */
export interface ReplayBatch<T> {
  readonly letterIds: readonly string[]
  readonly entries: readonly DecodedEntry<T>[]
}

export interface ReplayWriterOptions {
  readonly pool: pg.Pool
  readonly interner: Interner
  readonly partitions: Partitions
}

/** Together about twenty seconds of waiting: whoever replays is there to do it again. */
const MAX_ATTEMPTS = 10

/** A transaction whose COMMIT was sent, and what it came to if it succeeded. */
interface SentCommit {
  readonly transactionId: string
  readonly outcome: ReplayOutcome
}

/**
 * Writes dead letters of one signal as rows, a batch at a time.
 *
 * An attempt ends as those of `BatchWriter` do, but for their number. After a COMMIT whose answer was lost PostgreSQL is asked what became of that
 * transaction, so that what is told of the letters is true; that nothing is written twice does not hang on the answer.
 */
export class ReplayWriter<T extends object> {
  readonly #table: TelemetryTable<T>
  readonly #options: ReplayWriterOptions
  readonly #content = new InternedContent()

  constructor(table: TelemetryTable<T>, options: ReplayWriterOptions) {
    this.#table = table
    this.#options = options
  }

  /**
   * @throws ObservatoryError ERR_SERVER_UNREACHABLE when PostgreSQL stays away, ERR_SERVER_UNSUITABLE when its schema or a grant is at fault; the
   *   `signal`'s reason when aborted between attempts. Batches before this one are committed.
   */
  async write(batch: ReplayBatch<T>, signal: AbortSignal): Promise<ReplayOutcome> {
    const encoded = this.#encode(batch)
    let isolating = false
    let sent: SentCommit | undefined
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted()
      try {
        if (sent !== undefined && (await this.#hasCommitted(sent.transactionId))) return sent.outcome
        sent = undefined
        return await this.#attempt(encoded, batch.letterIds, {
          isolating,
          onCommit: (transactionId, outcome) => {
            sent = { transactionId, outcome }
          },
        })
      } catch (error) {
        const failure = classifyWriteFailure(error)
        const isFinal = failure === 'schema' || (failure === 'data' && isolating)
        if (isFinal || attempt + 1 >= MAX_ATTEMPTS) throw stopped(failure, error)
        if (failure === 'data') isolating = true
        else if (failure === 'partition') this.#options.partitions.forget()
        else this.#options.interner.forget()
        await sleep(failure === 'data' ? 0 : backoffMs(attempt), signal)
      }
    }
  }

  #encode({ entries }: ReplayBatch<T>): EncodedBatch<T> {
    const rows = entries.reduce((sum, { records, letters }) => sum + records.length + letters.length, 0)
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
    const { partitions } = this.#options
    const buffers = new CopyBuffers(bytes, 0)
    const form = new BatchRows({ table: this.#table, content: this.#content, partitions }, buffers)
    for (const entry of entries) form.add(entry)
    const batch = {
      entries: entries.map(batchEntry),
      ranges: [],
      rows,
      bytes,
      oldestReadAt: 0,
      trigger: 'end' as const,
    }
    return form.finish(batch)
  }

  async #attempt(
    encoded: EncodedBatch<T>,
    letterIds: readonly string[],
    options: {
      readonly isolating: boolean
      readonly onCommit: (transactionId: string, outcome: ReplayOutcome) => void
    },
  ): Promise<ReplayOutcome> {
    const { pool, interner, partitions } = this.#options
    const table = this.#table
    const client = await pool.connect()
    let failed = true
    try {
      const refusedContent = await interner.ensure(client, encoded.content, options)
      const tables = table.targets.map((target) => target.table)
      await partitions.ensure(client, tables, encoded.partitionStarts)
      const refusals = refusedByContent(encoded, { table, content: this.#content }, refusedContent)
      const outcome = await replayTransaction(client, encoded, {
        ...options,
        signal: table.signal,
        letterIds,
        refusals,
      })
      failed = false
      return outcome
    } finally {
      client.release(failed)
    }
  }

  /** @throws while the transaction is still going on, or when PostgreSQL cannot tell. */
  async #hasCommitted(transactionId: string): Promise<boolean> {
    // The status of an id not given out yet is an error: this database may have been put back to an earlier time.
    const { rows } = await this.#options.pool.query<{ status: string | null }>(
      `select case when $1::xid8 < pg_current_xact_id() then pg_xact_status($1::xid8) end as status`,
      [transactionId],
    )
    if (rows[0]?.status === 'in progress')
      throw new Error(`Transaction ${transactionId} is still being committed`)
    return rows[0]?.status === 'committed'
  }
}

function stopped(failure: WriteFailure, cause: unknown): ObservatoryError {
  const passes = failure === 'transient' || failure === 'unready' || failure === 'partition'
  return new ObservatoryError(
    passes ? 'ERR_SERVER_UNREACHABLE' : 'ERR_SERVER_UNSUITABLE',
    `The replay stopped: ${messageOf(cause)}. What it said it replayed is committed, the other letters are as they were; ` +
      (passes
        ? 'run it again when PostgreSQL answers'
        : 'put the schema or the grants right, then run it again'),
    { cause },
  )
}
