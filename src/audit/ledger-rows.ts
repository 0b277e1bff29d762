import type pg from 'pg'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { ledgerNumber } from '../writers/ledger.ts'
import { type LedgerEntry, unpackEntries } from '../writers/packed-entries.ts'
import { type EntryKey, idOf, type KeyRange, keyOf } from './entry-key.ts'
import { fetchRows } from './snapshot.ts'

/** A row of the ledger: one batch as it was committed. */
export interface LedgerBatch {
  readonly stream: string
  readonly fork: number
  /** Whether its stream's name tells no signal: then its records may be in the tables of any. */
  readonly isForeign: boolean
  readonly entryCount: number
  readonly rowCount: number
  readonly letterCount: number
  readonly committedAtMs: number
  /** The lower bound of its ids. */
  readonly first: EntryKey
  /** In ascending order. Undefined when the list cannot be read. */
  readonly entries: readonly LedgerEntry[] | undefined
}

/** What is known of pruning: it leaves no row below one id of a stream, and none of a library's writer committed before one moment. */
export interface LedgerHorizon {
  /** Entries of streams from here on are listed if they were ingested; undefined when the ledger has none of a stream. */
  readonly streams: EntryKey | undefined
  /** Entries made by writers without a stream from here on (unix milliseconds) are listed; undefined when it has none of those. */
  readonly writersMs: number | undefined
}

/** The signal of `stream`: `<prefix>:<signal>`, or `writer:<signal>:<uuid>` of a writer that was used without Redis. Null for other names. */
const SIGNAL = `(regexp_match(stream, '^writer:(traces|metrics|logs):|:(traces|metrics|logs)$'))`
const SIGNAL_OF_STREAM = `coalesce(${SIGNAL}[1], ${SIGNAL}[2])`
const IS_WRITER = `stream like 'writer:%:%'`

/** Ledger rows of one fetch: each may list tens of thousands of entries. */
const PAGE_ROWS = 50

type Row = readonly [
  stream: string,
  fork: number,
  signal: string | null,
  entryCount: number,
  rowCount: number,
  letterCount: number,
  committedAtMs: string,
  first: string,
  entries: Buffer,
]

/** The batches of a signal that reach into the range, by their first id. Those of streams whose name tells no signal are among them. */
export async function* readLedgerBatches(
  client: pg.ClientBase,
  signal: TelemetrySignal,
  { from, to }: KeyRange,
): AsyncGenerator<LedgerBatch> {
  const text = `
    select stream, fork, ${SIGNAL_OF_STREAM}, entry_count, row_count, letter_count,
      (extract(epoch from committed_at) * 1000)::bigint, lower(ids), entries
    from ingest_ledger
    where coalesce(${SIGNAL_OF_STREAM}, $1) = $1 and ids && numrange($2, $3, '[]')
    order by lower(ids)`
  const values = [signal, ledgerNumber(idOf(from)), ledgerNumber(idOf(to))]
  for await (const rows of fetchRows<Row>(client, { cursor: 'ledger_rows', text, values }, PAGE_ROWS)) {
    for (const [
      stream,
      fork,
      ownSignal,
      entryCount,
      rowCount,
      letterCount,
      committedAt,
      first,
      packed,
    ] of rows)
      yield {
        stream,
        fork,
        isForeign: ownSignal === null,
        entryCount,
        rowCount,
        letterCount,
        committedAtMs: Number(committedAt),
        first: keyOfLedgerNumber(first),
        entries: unpackListed(packed, entryCount),
      }
  }
}

/** The range, widened to all of every batch that reaches into it. */
export async function widenToBatches(
  client: pg.ClientBase,
  signal: TelemetrySignal,
  { from, to }: KeyRange,
): Promise<KeyRange> {
  const { rows } = await client.query<{ from: string | null; to: string | null }>(
    `select min(lower(ids)) as from, max(upper(ids)) as to from ingest_ledger
      where ${SIGNAL_OF_STREAM} = $1 and ids && numrange($2, $3, '[]')`,
    [signal, ledgerNumber(idOf(from)), ledgerNumber(idOf(to))],
  )
  const [least, most] = [rows[0]?.from ?? null, rows[0]?.to ?? null].map((number) =>
    number === null ? undefined : keyOfLedgerNumber(number),
  )
  return {
    from: least !== undefined && least < from ? least : from,
    to: most !== undefined && most > to ? most : to,
  }
}

/** From where on the ledger of a signal is complete. */
export async function readLedgerHorizon(
  client: pg.ClientBase,
  signal: TelemetrySignal,
): Promise<LedgerHorizon> {
  const { rows } = await client.query<{ streams: string | null; writers: string | null }>(
    `select (select max(first) from (
               select min(lower(ids)) as first from ingest_ledger
                where ${SIGNAL_OF_STREAM} = $1 and not ${IS_WRITER} group by stream) as streams) as streams,
            (select (extract(epoch from min(committed_at)) * 1000)::bigint from ingest_ledger where ${IS_WRITER}) as writers`,
    [signal],
  )
  const { streams = null, writers = null } = rows[0] ?? {}
  return {
    streams: streams === null ? undefined : keyOfLedgerNumber(streams),
    writersMs: writers === null ? undefined : Number(writers),
  }
}

/** The entries that a ledger row lists; undefined when what it has is no list of so many. */
export function unpackListed(packed: Buffer, count: number): readonly LedgerEntry[] | undefined {
  try {
    const entries = unpackEntries(packed)
    return entries.length === count ? entries : undefined
  } catch (error) {
    // Read past the end of the list.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

const SEQ_DIGITS = 20

function keyOfLedgerNumber(number: string): EntryKey {
  const digits = number.padStart(SEQ_DIGITS + 1, '0')
  return keyOf({ ms: BigInt(digits.slice(0, -SEQ_DIGITS)), seq: BigInt(digits.slice(-SEQ_DIGITS)) })
}
