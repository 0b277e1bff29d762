import { Readable } from 'node:stream'
import type pg from 'pg'
import { listPartitions } from '../retention/list-partitions.ts'
import { microseconds, type RecordFilter, whereSql } from './filter.ts'
import { orderedQuery } from './page-records.ts'
import type { RecordSource } from './record-source.ts'
import { streamRows } from './stream-rows.ts'

export interface StreamOptions {
  readonly form: 'json' | 'csv'
  readonly signal: AbortSignal
}

const NANOS_PER_MS = 1_000_000n

/**
 * All records that match, or as many as `limit` says: a stream of rows with one column, the record as JSON text, or with the columns of CSV as text.
 *
 * Without an `order`, partition by partition, the newest first, and unordered inside: the first record comes at once, whatever there is, and nothing is sorted. With
 * one, by time.
 */
export async function streamRecords(
  pool: pg.Pool,
  source: RecordSource,
  filter: RecordFilter,
  { form, signal }: StreamOptions,
): Promise<Readable> {
  const select = form === 'json' ? source.json : source.csv.map(([, sql]) => sql).join(', ')
  // The records of one trace are few, and found by their index in all partitions at once.
  if (filter.order !== undefined || filter.traceId !== undefined)
    return streamRows(pool, orderedQuery(source, filter, select), signal)
  const partitions = await listPartitions(pool, source.table)
  const [from, to] = [filter.from, filter.to].map((nanos) => nanos && Number(nanos / NANOS_PER_MS))
  const wanted = partitions.filter(
    ({ fromMs, toMs }) => (from === undefined || toMs > from) && (to === undefined || fromMs <= to),
  )
  return new PartitionRows({
    limit: filter.limit,
    queries: wanted.map(({ fromMs, toMs }) => ({ fromMs, toMs })),
    open: ({ fromMs, toMs }, limit) => {
      const { where, values } = whereSql(filter, source.columns)
      const [first, end, most] = [1, 2, 3].map((more) => `$${values.length + more}`)
      const { time } = source.columns
      const text = `select ${select} from ${source.view} ${where} and ${time} >= ${first}::timestamptz and ${time} < ${end}::timestamptz limit ${most}`
      const bounds = [fromMs, toMs].map((ms) => microseconds(BigInt(ms) * NANOS_PER_MS))
      return streamRows(pool, { text, values: [...values, ...bounds, limit] }, signal)
    },
  })
}

interface PartitionRowsOptions<P> {
  /** Rows of all together; null is all. */
  readonly limit: number | null
  readonly queries: readonly P[]
  readonly open: (query: P, limit: number | null) => Promise<Readable>
}

/**
 * The rows of one query after the other.
 *
 * States: *between* (no rows open; the next query is opened when rows are asked for) → *open* (its rows flow until the reader has enough) → between; after the last query, or the limit, *ended*.
 */
class PartitionRows<P> extends Readable {
  readonly #options: PartitionRowsOptions<P>
  #next = 0
  #left: number | null
  #open: Readable | undefined
  #isOpening = false

  constructor(options: PartitionRowsOptions<P>) {
    super({ objectMode: true })
    this.#options = options
    this.#left = options.limit
  }

  override _read(): void {
    if (this.#open !== undefined) this.#open.resume()
    else if (!this.#isOpening) this.#openNext()
  }

  #openNext(): void {
    const query = this.#options.queries[this.#next]
    if (query === undefined || this.#left === 0) {
      this.push(null)
      return
    }
    this.#next += 1
    this.#isOpening = true
    this.#options.open(query, this.#left).then(
      (rows) => this.#flow(rows),
      (error: Error) => this.destroy(error),
    )
  }

  #flow(rows: Readable): void {
    this.#isOpening = false
    if (this.destroyed) {
      rows.destroy()
      return
    }
    this.#open = rows
    rows.on('data', (row) => {
      if (this.#left !== null) this.#left -= 1
      if (!this.push(row)) rows.pause()
    })
    rows.once('error', (error) => this.destroy(error))
    rows.once('end', () => {
      this.#open = undefined
      this.#openNext()
    })
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#open?.destroy()
    callback(error)
  }
}
