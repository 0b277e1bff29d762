import type pg from 'pg'
import {
  classifyWriteFailure,
  messageOf,
  ObservatoryError,
  sqlStateOf,
  type WriteFailure,
} from '../errors.ts'
import { backoffMs, sleep } from '../lifecycle.ts'
import type { DeadLetter } from '../models/dead-letter.ts'
import { recordJson } from '../models/loose-record.ts'
import type { Rejection } from '../models/rejection.ts'
import type { Partitions } from '../retention/partitions.ts'
import type { DeadLetterPayload } from '../settings.ts'
import type { Batch } from './batch.ts'
import { copyRows, findRefusedRows, type RefusedRow } from './copy.ts'
import { type AddressedLetter, insertDeadLetters } from './dead-letters.ts'
import type { BatchRecord, EncodedBatch } from './encode-batch.ts'
import type { InternedContent } from './interned-content.ts'
import type { Interner } from './interner.ts'
import { claimEntries, recount } from './ledger.ts'
import type { TelemetryTable } from './telemetry-table.ts'

/** What became of a batch. Its records are in exactly one of the three counts. */
export interface BatchOutcome<T> {
  readonly batch: Batch<T>
  readonly rowsWritten: number
  readonly deadLetters: readonly AddressedLetter[]
  /** Records that the ledger says were ingested before. */
  readonly duplicates: number
  readonly copyMs: number
  readonly commitMs: number
}

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
  readonly onRetry: (retry: WriteRetry) => void
}

/** After this many batches in a row with more than {@link SUSPECT_SHARE} of their rows refused by PostgreSQL, not the data is at fault. */
const SUSPECT_BATCHES = 10
const SUSPECT_SHARE = 0.01

/**
 * Writes one batch at a time for each caller: ledger, rows and dead letters in one transaction.
 *
 * An attempt ends in one of: *committed*; *data*, a row is at fault: at once again, isolating it; *partition*: at once again after asking the
 * catalogue; *transient* or *unready*: again after a backoff, for as long as it takes; *schema*: thrown, nothing is written. A COMMIT
 * whose answer was lost is tried again like any other failure: the ledger then says that it had succeeded.
 */
export class BatchWriter<T extends object> {
  readonly #options: BatchWriterOptions<T>
  #suspectBatches = 0

  constructor(options: BatchWriterOptions<T>) {
    this.#options = options
  }

  /**
   * @throws ObservatoryError ERR_INGEST_STOPPED when the schema, a grant or this program is at fault; the `signal`'s reason when aborted.
   */
  async write(encoded: EncodedBatch<T>, signal: AbortSignal): Promise<BatchOutcome<T>> {
    let isolating = false
    for (let attempt = 0; ; attempt += 1) {
      signal.throwIfAborted()
      try {
        const outcome = await this.#attempt(encoded, isolating)
        if (isolating) this.#suspect(encoded, outcome)
        else this.#suspectBatches = 0
        return outcome
      } catch (error) {
        if (error instanceof ObservatoryError) throw error
        const failure = classifyWriteFailure(error)
        if (failure === 'schema' || (failure === 'data' && isolating))
          throw stopped(this.#options.stream, error)
        const delayMs = failure === 'data' ? 0 : backoffMs(attempt)
        const sqlState = sqlStateOf(error)
        this.#options.onRetry({ failure, sqlState, error, attempt, delayMs })
        if (failure === 'data') isolating = true
        else if (failure === 'partition') this.#options.partitions.forget()
        else this.#options.interner.forget()
        await sleep(delayMs, signal)
      }
    }
  }

  async #attempt(encoded: EncodedBatch<T>, isolating: boolean): Promise<BatchOutcome<T>> {
    const { pool, interner, partitions, table } = this.#options
    const refusedContent = await interner.ensure(encoded.content)
    const tables = table.targets.map((target) => target.table)
    await partitions.ensure(tables, encoded.partitionStarts)
    const client = await pool.connect()
    let failed = true
    try {
      const outcome = await this.#transact(client, encoded, { refusedContent, isolating })
      failed = false
      return outcome
    } finally {
      // A connection whose transaction did not end well is closed: the server then rolls back, whatever state it is in.
      client.release(failed)
    }
  }

  async #transact(
    client: pg.PoolClient,
    encoded: EncodedBatch<T>,
    { refusedContent, isolating }: { refusedContent: ReadonlyMap<bigint, Rejection>; isolating: boolean },
  ): Promise<BatchOutcome<T>> {
    const { batch, records } = encoded
    const { stream, table, deadLetterPayload } = this.#options
    const refusals = this.#refusalsByContent(encoded, refusedContent)
    const letters: AddressedLetter[] = batch.entries.flatMap(({ id, letters }) =>
      letters.map((letter) => ({ id, letter })),
    )
    letters.push(...refusals.map(({ position, rejection }) => this.#letter(records, position, rejection)))

    await client.query('begin')
    const claim = {
      stream,
      ranges: batch.ranges,
      entries: batch.entries,
      rowCount: records.length - refusals.length,
      letterCount: letters.length,
    }
    const claimed = await claimEntries(client, claim)
    const skip = new Set(refusals.map(({ position }) => position))
    let owned = letters
    let duplicates = 0
    if (claimed.kind === 'some') {
      const ours = new Set([...claimed.claimed].map((position) => batch.entries[position]?.id))
      owned = letters.filter(({ id }) => ours.has(id))
      duplicates = letters.length - owned.length
      records.forEach(({ entry }, position) => {
        if (ours.has(entry.id)) return
        if (!skip.has(position)) duplicates += 1
        skip.add(position)
      })
    }

    const copyStarted = performance.now()
    for (const refused of isolating ? await this.#isolate(client, encoded, skip) : []) {
      skip.add(refused.position)
      const rejection: Rejection = { reason: 'refused_by_database', detail: refused.detail }
      owned.push(this.#letter(records, refused.position, rejection, refused.sqlState))
    }
    for (const copy of encoded.copies) await copyRows(client, copy, skip)
    const copyMs = performance.now() - copyStarted
    const rowsWritten = records.length - skip.size
    await insertDeadLetters(client, { stream, signal: table.signal, payload: deadLetterPayload }, owned)
    if (claimed.row !== undefined && (rowsWritten !== claim.rowCount || owned.length !== claim.letterCount)) {
      await recount(client, claimed.row, { rowCount: rowsWritten, letterCount: owned.length })
    }
    const commitStarted = performance.now()
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw new Error(`PostgreSQL answered COMMIT with ${command}`)
    const commitMs = performance.now() - commitStarted
    return { batch, rowsWritten, deadLetters: owned, duplicates, copyMs, commitMs }
  }

  /** Finds the rows that PostgreSQL refuses, of any table, and takes back what was copied to find them. */
  async #isolate(
    client: pg.PoolClient,
    { copies }: EncodedBatch<T>,
    skip: ReadonlySet<number>,
  ): Promise<RefusedRow[]> {
    const refused = new Map<number, RefusedRow>()
    await client.query('savepoint isolation')
    for (const copy of copies) {
      for (const row of await findRefusedRows(client, copy, skip)) refused.set(row.position, row)
    }
    await client.query('rollback to savepoint isolation')
    return [...refused.values()]
  }

  /** The records whose series (or resource, scope, metric) was refused. */
  #refusalsByContent(
    { records }: EncodedBatch<T>,
    refusedContent: ReadonlyMap<bigint, Rejection>,
  ): { readonly position: number; readonly rejection: Rejection }[] {
    if (refusedContent.size === 0) return []
    const { table, content } = this.#options
    return records.flatMap(({ record }, position) => {
      const row = table.refer(record, content).rows.find(({ id }) => refusedContent.has(id))
      const rejection = row && refusedContent.get(row.id)
      return rejection === undefined ? [] : [{ position, rejection }]
    })
  }

  #letter(
    records: readonly BatchRecord<T>[],
    position: number,
    rejection: Rejection,
    sqlState?: string,
  ): AddressedLetter {
    const refused = records[position]
    if (refused === undefined) throw new RangeError(`No record at position ${position} of the batch`)
    const letter: DeadLetter = {
      ...rejection,
      sqlState,
      recordIndex: refused.recordIndex,
      payloadForm: 'record',
      payload: Buffer.from(recordJson(refused.record)),
    }
    return { id: refused.entry.id, letter }
  }

  #suspect(encoded: EncodedBatch<T>, { deadLetters }: BatchOutcome<T>): void {
    const refused = deadLetters.filter(({ letter }) => letter.reason === 'refused_by_database')
    if (refused.length <= encoded.records.length * SUSPECT_SHARE) {
      this.#suspectBatches = 0
      return
    }
    this.#suspectBatches += 1
    if (this.#suspectBatches < SUSPECT_BATCHES) return
    throw stopped(this.#options.stream, refused.at(-1)?.letter.detail)
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
