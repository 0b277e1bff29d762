import type pg from 'pg'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { PartitionedTable } from '../retention/partitions.ts'
import { type EntryKey, type KeyRange, keyOf } from './entry-key.ts'
import type { PartitionCoverage } from './partition-coverage.ts'
import { fetchRows } from './snapshot.ts'

/** All rows and letters that bear one entry id, of whatever stream. */
export interface StoredEntry {
  readonly key: EntryKey
  readonly rows: number
  /** Those that ingest wrote. A replay's are not counted. */
  readonly letters: number
  /** How many of `rows` were written by replays. */
  readonly replayedRows: number
  /** How often the record that is there most often is there, as a row or as a letter that was not replayed. */
  readonly copies: number
  /** A record that is there more than once. */
  readonly repeatedIndex: number | null
  /** Different records, and the highest position of one: less than that many and one lacks something in between. */
  readonly records: number
  readonly lastIndex: number
  /** Records that should have bodies and have none, or the other way round, or twice. */
  readonly bodyMismatches: number
}

/** The table that has one row for each record. */
export const RECORD_TABLES = {
  traces: 'spans',
  metrics: 'metric_points',
  logs: 'log_records',
} as const satisfies Readonly<Record<TelemetrySignal, PartitionedTable>>

/** The tables beside, that have a row for each record with prompts or completions; and the time of both. */
const BODY_TABLES = {
  traces: { table: 'span_contents', time: 'start_time' },
  logs: { table: 'log_contents', time: 'time' },
} as const satisfies Partial<Record<TelemetrySignal, { table: PartitionedTable; time: string }>>

/** Entries of one fetch. */
const PAGE_ROWS = 2000

/** Stored ids are the two's complement of unsigned ones: with the highest bit turned over they order as Redis does. */
const TURN = `'-9223372036854775808'::bigint`
const TURN_BIT = 2n ** 63n
const ORIGIN = `entry_ms # ${TURN} as ms, entry_seq # ${TURN} as seq, record_index`

/**
 * Every entry of a signal that rows or letters in the range bear, in the order of ids. The server reads each table once, from one end to the
 * other, and sorts what it needs of it (about 50 bytes a record, on disk past `work_mem`): no index on the ids is there, or needed.
 */
export async function* readStoredEntries(
  client: pg.ClientBase,
  signal: TelemetrySignal,
  { range, coverage }: { readonly range: KeyRange; readonly coverage: PartitionCoverage },
): AsyncGenerator<readonly StoredEntry[]> {
  const [from, to] = [range.from, range.to].map((key) => [stored(key >> 64n), stored(key)])
  const text = `
    select ms, seq, sum(rows), sum(letters), sum(replayed_rows),
      max(greatest(rows, letters, rows + letters - replayed)), max(record_index) filter (where rows + letters - replayed > 1),
      count(*) filter (where record_index >= 0), max(record_index), count(*) filter (where bodies <> rows_with_bodies)
    from (
      select ms, seq, record_index, sum(rows) as rows, sum(letters) as letters, sum(replayed) as replayed,
        sum(replayed_rows) as replayed_rows, sum(rows_with_bodies) as rows_with_bodies, sum(bodies) as bodies
      from (${sources(signal)}) as sources
      where (ms, seq) >= ($2::bigint, $3::bigint) and (ms, seq) <= ($4::bigint, $5::bigint)
      group by ms, seq, record_index
    ) as records
    group by ms, seq order by ms, seq`
  const values = [signal, ...(from ?? []), ...(to ?? []), ...coverageOfBodies(signal, coverage)]
  for await (const rows of fetchRows<StoredRow>(
    client,
    { cursor: 'stored_entries', text, values },
    PAGE_ROWS,
  ))
    yield rows.map(toStoredEntry)
}

type StoredRow = readonly [
  ms: string,
  seq: string,
  rows: string,
  letters: string,
  replayedRows: string,
  copies: string,
  repeatedIndex: number | null,
  records: string,
  lastIndex: number,
  bodyMismatches: string,
]

function toStoredEntry([
  ms,
  seq,
  rows,
  letters,
  replayedRows,
  copies,
  repeatedIndex,
  ...rest
]: StoredRow): StoredEntry {
  const [records, lastIndex, bodyMismatches] = rest
  return {
    key: keyOf({ ms: BigInt(ms) + TURN_BIT, seq: BigInt(seq) + TURN_BIT }),
    rows: Number(rows),
    letters: Number(letters),
    replayedRows: Number(replayedRows),
    copies: Number(copies),
    repeatedIndex,
    records: Number(records),
    lastIndex,
    bodyMismatches: Number(bodyMismatches),
  }
}

/** Bodies are in a table with partitions of its own: where one of the two has none, they cannot be compared. */
function sources(signal: TelemetrySignal): string {
  const beside = signal === 'metrics' ? undefined : BODY_TABLES[signal]
  const hasBodies = beside === undefined ? '0' : `(has_content and ${beside.time} <@ $6::tstzmultirange)::int`
  const parts = [
    `select ${ORIGIN}, 1 as rows, 0 as letters, 0 as replayed, 0 as replayed_rows, ${hasBodies} as rows_with_bodies, 0 as bodies
       from ${RECORD_TABLES[signal]}`,
    `select ${ORIGIN}, 0, (replay_of is null)::int, (replay_of is null and replayed_at is not null)::int,
        coalesce(replayed_rows, 0), 0, 0
       from dead_letters where signal = $1`,
  ]
  if (beside !== undefined)
    parts.push(
      `select ${ORIGIN}, 0, 0, 0, 0, 0, (${beside.time} <@ $7::tstzmultirange)::int from ${beside.table}`,
    )
  return parts.join(' union all ')
}

function coverageOfBodies(signal: TelemetrySignal, coverage: PartitionCoverage): readonly string[] {
  if (signal === 'metrics') return []
  return [coverage.multirange(BODY_TABLES[signal].table), coverage.multirange(RECORD_TABLES[signal])]
}

function stored(part: bigint): string {
  return String(BigInt.asUintN(64, part) - TURN_BIT)
}
