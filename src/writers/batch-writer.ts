import type pg from 'pg'
import {
  classifyWriteFailure,
  LOCK_NOT_AVAILABLE,
  messageOf,
  ObservatoryError,
  sqlStateOf,
  type WriteFailure,
} from '../errors.ts'
import { backoffMs, sleep } from '../lifecycle.ts'
import { cutConnection } from '../postgres-connection.ts'
import type { Partitions } from '../retention/partitions.ts'
import type { DeadLetterPayload } from '../settings.ts'
import { type EncodedBatch, refusedByContent, releaseRows } from './batch-rows.ts'
import { FrozenSessions } from './frozen-sessions.ts'
import type { InternedContent } from './interned-content.ts'
import type { Interner } from './interner.ts'
import { claimEntries, claimOverlapping } from './ledger.ts'
import type { TelemetryTable } from './telemetry-table.ts'
import { type BatchOutcome, writeTransaction } from './write-transaction.ts'

export interface WriteRetry {
  readonly failure: WriteFailure
  readonly sqlState: string | undefined
  readonly error: unknown
  readonly attempt: number
  readonly delayMs: number
}

export interface BatchWriterOptions<T> {
  readonly pool: pg.Pool
  readonly table: TelemetryTable<T>
  /** The stream that the ledger knows these entries by. */
  readonly stream: string
  readonly content: InternedContent
  readonly interner: Interner
  readonly partitions: Partitions
  readonly deadLetterPayload: DeadLetterPayload
  /**
   * An attempt to which PostgreSQL says nothing for longer is given up by closing its connection: a network can swallow everything and keep the
   * connection up, which no timeout of the server or of TCP notices. The server may only be slow, so the next attempt of the batch then has
   * twice the time.
   */
  readonly attemptMaxMs: number
  /** See {@link FrozenSessions}. */
  readonly frozenAfterMs: number
  readonly onRetry: (retry: WriteRetry) => void
  readonly onFrozenEnded: (sessions: number) => void
}

/** After this many batches in a row with more than {@link SUSPECT_SHARE} of their rows refused by PostgreSQL, not the data is at fault. */
const SUSPECT_BATCHES = 10
const SUSPECT_SHARE = 0.01

const LONGEST_ATTEMPT_MS = 3_600_000

/**
 * Writes one batch at a time for each caller: ledger, rows and dead letters in one transaction.
 *
 * An attempt ends in one of: *committed*; *data*, a row is at fault: at once again, isolating it; *partition*: at once again after asking the
 * catalogue; *transient* or *unready*: again after a backoff, for as long as it takes; *schema*: thrown, nothing is written. A COMMIT
 * whose answer was lost is tried again like any other failure: the ledger then says that it had succeeded.
 */
export class BatchWriter<T extends object> {
  readonly #options: BatchWriterOptions<T>
  readonly #frozenSessions: FrozenSessions
  #suspectBatches = 0
  #fault: ObservatoryError | undefined

  constructor(options: BatchWriterOptions<T>) {
    this.#options = options
    this.#frozenSessions = new FrozenSessions(options.pool, options.frozenAfterMs)
  }

  /** Why no more may be written: so many rows were refused that the schema or this program must be at fault. What was written is committed. */
  get fault(): ObservatoryError | undefined {
    return this.#fault
  }

  /**
   * @throws ObservatoryError ERR_INGEST_STOPPED when the schema, a grant or this program is at fault; the `signal`'s reason when aborted.
   */
  async write(encoded: EncodedBatch<T>, signal: AbortSignal): Promise<BatchOutcome<T>> {
    let isolating = false
    let patienceMs = this.#options.attemptMaxMs
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted()
      const started = performance.now()
      try {
        const outcome = await this.#attempt(encoded, { isolating, patienceMs })
        this.#watchRefusals(encoded, outcome)
        // A connection that was given up may still be sending what a later attempt has committed.
        if (attempt === 0) releaseRows(encoded)
        return outcome
      } catch (error) {
        if (error instanceof ObservatoryError) throw error
        const failure = classifyWriteFailure(error)
        if (failure === 'schema' || (failure === 'data' && isolating))
          throw stopped(this.#options.stream, error)
        const delayMs = failure === 'data' ? 0 : backoffMs(attempt)
        const sqlState = sqlStateOf(error)
        this.#options.onRetry({ failure, sqlState, error, attempt, delayMs })
        if (performance.now() - started >= patienceMs)
          patienceMs = Math.min(2 * patienceMs, LONGEST_ATTEMPT_MS)
        if (sqlState === LOCK_NOT_AVAILABLE) await this.#endFrozenSessions()
        if (failure === 'data') isolating = true
        else if (failure === 'partition') this.#options.partitions.forget()
        else this.#options.interner.forget()
        await sleep(delayMs, signal)
      }
    }
  }

  async #attempt(
    encoded: EncodedBatch<T>,
    { isolating, patienceMs }: { readonly isolating: boolean; readonly patienceMs: number },
  ): Promise<BatchOutcome<T>> {
    const { pool, interner, partitions, table, content } = this.#options
    const client = await pool.connect()
    const watchdog = setTimeout(
      () => cutConnection(client, `PostgreSQL gave no answer to a batch within ${patienceMs} ms`),
      patienceMs,
    )
    const { stream } = (client as pg.PoolClient & { connection: pg.Connection }).connection
    const onAnswer = () => void watchdog.refresh()
    stream.on('data', onAnswer)
    let failed = true
    try {
      const refusedContent = await interner.ensure(client, encoded.content, { isolating })
      const refusals = refusedByContent(encoded, { table, content }, refusedContent)
      const tables = table.targets.map((target) => target.table)
      await partitions.ensure(client, tables, encoded.partitionStarts)
      const transaction = { ...this.#options, signal: table.signal, refusals, isolating }
      const outcome =
        (await writeTransaction(client, encoded, { ...transaction, claim: claimEntries })) ??
        (await writeTransaction(client, encoded, { ...transaction, claim: claimOverlapping }))
      if (outcome === undefined) throw new Error('A claim that was alone found an overlap')
      failed = false
      return outcome
    } finally {
      clearTimeout(watchdog)
      stream.off('data', onAnswer)
      // A connection whose transaction did not end well is closed: the server then rolls back, whatever state it is in.
      client.release(failed)
    }
  }

  /** Failing to is no reason to fail the batch: the next attempt that finds a lock taken tries again. */
  async #endFrozenSessions(): Promise<void> {
    const ended = await this.#frozenSessions.end().catch(() => 0)
    if (ended > 0) this.#options.onFrozenEnded(ended)
  }

  #watchRefusals(encoded: EncodedBatch<T>, { deadLetters }: BatchOutcome<T>): void {
    const refused = deadLetters.filter(({ letter }) => letter.reason === 'refused_by_database')
    const isSuspect = refused.length > encoded.records.count * SUSPECT_SHARE
    this.#suspectBatches = isSuspect ? this.#suspectBatches + 1 : 0
    if (this.#suspectBatches < SUSPECT_BATCHES) return
    this.#fault ??= stopped(this.#options.stream, refused.at(-1)?.letter.detail)
  }
}

function stopped(stream: string, cause: unknown): ObservatoryError {
  return new ObservatoryError(
    'ERR_INGEST_STOPPED',
    `Ingest of ${stream} stopped, everything not committed stays pending in Redis: ${messageOf(cause)}. ` +
      'Put the schema, the grants or the program right, then restart the service',
    { cause },
  )
}
