import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { Partition } from '../list-partitions.ts'
import type { PartitionedTable } from '../partitions.ts'
import { RETAINED_TABLES } from '../retention-policy.ts'
import { markChanged } from '../rollups/changed-minutes.ts'
import type { RunningErasure } from './erasure-context.ts'
import { addToErasure } from './erasure-records.ts'
import { HAS_MARKED_EXEMPLARS, hasMarks, isMarkedSql, KEPT_EXEMPLARS } from './marked-rows.ts'

/** Rows of a transaction: some hundred milliseconds. */
const CHUNK_ROWS = 5000

/** The places of the rows of a partition, kept by the session: it is looked through once, and rows do not move while nobody updates them. */
export class MarkedPlaces {
  readonly #context: RunningErasure
  readonly #table: PartitionedTable
  readonly #partition: Partition

  constructor(
    context: RunningErasure,
    { table, partition }: { readonly table: PartitionedTable; readonly partition: Partition },
  ) {
    this.#context = context
    this.#table = table
    this.#partition = partition
  }

  async eraseAll(): Promise<number> {
    if (!(await hasMarks(this.#context.client, this.#table, this.#partition))) return 0
    return this.#inChunks(isMarkedSql(this.#table), [], (going) => this.#delete(going))
  }

  /** @returns how many points lost some. */
  async eraseExemplars(): Promise<number> {
    const { client, person } = this.#context
    const ids = [person.users, person.sessions]
    return this.#inChunks(HAS_MARKED_EXEMPLARS, ids, async (chunk) => {
      await client.query(
        `update ${this.#partition.name} r set exemplars = ${KEPT_EXEMPLARS}
          where r.ctid = any(${places(chunk)}) and ${HAS_MARKED_EXEMPLARS}`,
        ids,
      )
      await this.#noteRange(0)
    })
  }

  async #inChunks(
    condition: string,
    values: unknown[],
    erase: (chunk: Chunk) => Promise<void>,
  ): Promise<number> {
    const { client, dryRun, signal, onProgress } = this.#context
    const { name } = this.#partition
    await client.query(
      'create temporary table if not exists erasing_places (number int generated always as identity, place tid not null)',
    )
    await client.query('truncate pg_temp.erasing_places restart identity')
    const { rowCount } = await client.query(
      `insert into pg_temp.erasing_places (place) select r.ctid from ${name} r where ${condition} order by r.ctid`,
      values,
    )
    const rows = rowCount ?? 0
    if (dryRun) return rows
    for (let from = 1; from <= rows; from += CHUNK_ROWS) {
      signal.throwIfAborted()
      const chunk = { from, to: from + CHUNK_ROWS }
      await client.query('begin')
      try {
        await this.#noteMinutes(chunk)
        await erase(chunk)
        await client.query('commit')
      } catch (error) {
        await client.query('rollback').catch(() => undefined)
        throw error
      }
      onProgress({ step: 'erasing', what: name, rows: Math.min(rows, chunk.to - 1) })
    }
    return rows
  }

  /** Rollups and cached answers of these minutes hold no more. */
  async #noteMinutes({ from, to }: Chunk): Promise<void> {
    const signal = SIGNALS[this.#table]
    if (signal === undefined) return
    const { client } = this.#context
    const time = this.#table === 'spans' ? 'start_time' : 'time'
    const { rows } = await client.query<{ minute: number }>(
      `select distinct floor(extract(epoch from r.${time}) / 60)::int as minute from ${this.#going({ from, to })} as r`,
    )
    await markChanged(
      client,
      signal,
      rows.map(({ minute }) => minute),
    )
  }

  async #delete(chunk: Chunk): Promise<void> {
    const { client, erasureId = '' } = this.#context
    await this.#deleteContents(chunk)
    const { rowCount } = await client.query(
      `delete from ${this.#partition.name} r where r.ctid = any(${places(chunk)}) and ${isMarkedSql(this.#table)}`,
    )
    await this.#noteRange(rowCount ?? 0)
    await addToErasure(client, erasureId, { rows: rowCount ?? 0 })
  }

  /** Where rows were taken, or changed. */
  async #noteRange(rows: number): Promise<void> {
    const { client, erasureId } = this.#context
    const { fromMs, toMs } = this.#partition
    await client.query(
      `insert into erased_ranges (erasure_id, table_name, from_time, to_time, rows) values ($1, $2, $3, $4, $5)
       on conflict (erasure_id, table_name, from_time) do update set rows = erased_ranges.rows + excluded.rows`,
      [erasureId, this.#table, new Date(fromMs), new Date(toMs), rows],
    )
  }

  /** Prompts and completions go with their rows. */
  async #deleteContents(chunk: Chunk): Promise<void> {
    const contents = RETAINED_TABLES.find(({ table }) => table === this.#table)?.contents
    if (contents === undefined) return
    const { table, timeColumn: time } = contents
    const trace = table === 'span_contents' ? 'and c.trace_id = r.trace_id' : ''
    const { fromMs, toMs } = this.#partition
    // The range is said of both, so that only its partitions are planned.
    await this.#context.client.query(
      `delete from ${table} c using ${this.#going(chunk)} r
        where r.has_content ${trace} and c.${time} = r.${time} and c.entry_ms = r.entry_ms and c.entry_seq = r.entry_seq
          and c.record_index = r.record_index and c.${time} >= $1::timestamptz and c.${time} < $2::timestamptz`,
      [new Date(fromMs), new Date(toMs)],
    )
  }

  #going(chunk: Chunk): string {
    return `(select * from ${this.#partition.name} where ctid = any(${places(chunk)}))`
  }
}

interface Chunk {
  readonly from: number
  readonly to: number
}

/** Whose rollups and cached answers are made of a table. */
const SIGNALS: Readonly<Partial<Record<PartitionedTable, TelemetrySignal>>> = {
  spans: 'traces',
  log_records: 'logs',
  metric_points: 'metrics',
}

function places({ from, to }: Chunk): string {
  return `array(select place from pg_temp.erasing_places where number >= ${from} and number < ${to})`
}
