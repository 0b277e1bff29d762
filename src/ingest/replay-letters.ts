import type pg from 'pg'
import type { StoredLetter } from '../models/dead-letter.ts'
import type { PriceList } from '../models/prices/price-list.ts'
import type { Privacy } from '../models/privacy/privacy.ts'
import type { RecordLimits } from '../models/record-limits.ts'
import type { RejectionReason } from '../models/rejection.ts'
import { ENTRY_MAX_BYTES } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { Partitions } from '../retention/partitions.ts'
import type { PartitionInterval } from '../settings.ts'
import type { DecodedEntry } from '../writers/batch.ts'
import { Interner, type SeriesLimits } from '../writers/interner.ts'
import { LOG_RECORD_TABLE } from '../writers/log-record-table.ts'
import { METRIC_POINT_TABLE } from '../writers/metric-point-table.ts'
import { RecordDecoder } from '../writers/record-decoder.ts'
import type { RefusedLetter, ReplayOutcome } from '../writers/replay-transaction.ts'
import { ReplayWriter } from '../writers/replay-writer.ts'
import { createSpanTable } from '../writers/span-table.ts'
import type { TelemetryTable } from '../writers/telemetry-table.ts'
import { decodeLetter, refusedWhole } from './decode-letter.ts'

/** A letter that is to be replayed. */
export interface LetterRef {
  readonly letterId: string
  readonly signal: TelemetrySignal
  readonly payloadBytes: number
}

export interface ReplayOptions {
  readonly pool: pg.Pool
  readonly recordLimits: RecordLimits
  readonly seriesLimits: SeriesLimits
  readonly partitionInterval: PartitionInterval
  readonly prices: PriceList
  readonly privacy: Privacy
  /** Of one transaction. A letter is never split, so one of many records may pass it. */
  readonly maxRows: number
  /** Of the payloads that are held at once; one that is larger is held alone. */
  readonly maxBytes: number
  /** Decodes only: what PostgreSQL would refuse, and what another replay has, is not known then. */
  readonly dryRun: boolean
  /** Told of each batch after its COMMIT, in a dry run after decoding it. The next batch waits for it. */
  readonly onBatch: (outcome: ReplayOutcome) => Promise<void> | void
  readonly signal: AbortSignal
}

function tableOf(signal: TelemetrySignal, prices: PriceList): TelemetryTable<object> {
  const tables = { traces: createSpanTable(prices), metrics: METRIC_POINT_TABLE, logs: LOG_RECORD_TABLE }
  return tables[signal] as unknown as TelemetryTable<object>
}

/** Letters whose payloads are fetched at once. */
const MAX_LETTERS = 1000

/**
 * Replays dead letters: the same decoding and limits as ingest, then rows under the ids their entries had. What a batch is told to have done is
 * committed; stopping between two loses nothing, and what was replayed is not replayed again.
 *
 * Held at once are the refs of three batches, one a signal, and the payloads and records of one.
 *
 * @throws ObservatoryError as `ReplayWriter.write` does; the `signal`'s reason when aborted between two batches.
 */
export async function replayLetters(
  letters: AsyncIterable<LetterRef>,
  options: ReplayOptions,
): Promise<void> {
  const { pool, seriesLimits, partitionInterval: interval } = options
  const shared = {
    pool,
    interner: new Interner(seriesLimits),
    partitions: new Partitions({ pool, interval }),
  }
  const waiting = new Map<TelemetrySignal, OpenBatch>()
  for await (const letter of letters) {
    const open = waiting.get(letter.signal) ?? createOpen(letter.signal, shared, options)
    waiting.set(letter.signal, open)
    if (open.bytes + letter.payloadBytes > options.maxBytes) await replayWaiting(open, options)
    open.letters.push(letter)
    open.bytes += letter.payloadBytes
    if (open.letters.length >= MAX_LETTERS) await replayWaiting(open, options)
  }
  for (const open of waiting.values()) await replayWaiting(open, options)
}

interface OpenBatch {
  readonly decoder: RecordDecoder<object>
  readonly writer: ReplayWriter<object>
  letters: LetterRef[]
  bytes: number
}

function createOpen(
  telemetrySignal: TelemetrySignal,
  shared: ConstructorParameters<typeof ReplayWriter>[1],
  { recordLimits, prices, privacy }: ReplayOptions,
): OpenBatch {
  return {
    decoder: new RecordDecoder(telemetrySignal, recordLimits, privacy),
    writer: new ReplayWriter(tableOf(telemetrySignal, prices), shared),
    letters: [],
    bytes: 0,
  }
}

async function replayWaiting(open: OpenBatch, options: ReplayOptions): Promise<void> {
  const { letters } = open
  open.letters = []
  open.bytes = 0
  if (letters.length === 0) return
  options.signal.throwIfAborted()
  const stored = await readLetters(options.pool, letters)
  const missing = letters.length - stored.length
  if (missing > 0) await options.onBatch({ ...NOTHING, taken: missing })
  let from = 0
  while (from < stored.length) {
    const batch: { letterIds: string[]; entries: DecodedEntry<object>[] } = { letterIds: [], entries: [] }
    for (let rows = 0; from < stored.length && rows < options.maxRows; from += 1) {
      const letter = stored[from] as ReadLetter
      const entry = decode(letter, open.decoder)
      batch.letterIds.push(letter.letterId)
      batch.entries.push(entry)
      rows += entry.records.length + entry.letters.length
    }
    const outcome = options.dryRun ? dryOutcome(batch) : await open.writer.write(batch, options.signal)
    await options.onBatch(outcome)
  }
}

const NOTHING: ReplayOutcome = { replayed: 0, rows: 0, lettersAdded: 0, refused: [], taken: 0 }

interface ReadLetter extends StoredLetter {
  /** Set where the payload was left in PostgreSQL, because no limit lets so much pass. */
  readonly tooLargeBytes: number | undefined
}

function decode(letter: ReadLetter, decoder: RecordDecoder<object>): DecodedEntry<object> {
  if (letter.tooLargeBytes === undefined) return decodeLetter(letter, decoder, Date.now())
  const detail = `an entry must have at most ${ENTRY_MAX_BYTES} bytes, not ${letter.tooLargeBytes}`
  return refusedWhole(letter, { reason: 'too_large', detail })
}

/** What decoding alone says of a batch. */
function dryOutcome(batch: {
  readonly letterIds: readonly string[]
  readonly entries: readonly DecodedEntry<object>[]
}): ReplayOutcome {
  const refused: RefusedLetter[] = []
  let rows = 0
  let lettersAdded = 0
  batch.entries.forEach(({ records, letters }, index) => {
    const [first] = letters
    if (first !== undefined && records.length === 0) {
      const { reason, detail } = first
      refused.push({ letterId: batch.letterIds[index] ?? '', reason, detail })
      return
    }
    rows += records.length
    lettersAdded += letters.length
  })
  return { replayed: batch.letterIds.length - refused.length, rows, lettersAdded, refused, taken: 0 }
}

interface LetterRow {
  letter_id: string
  entry_ms: string
  entry_seq: string
  record_index: number
  reason: RejectionReason
  payload_form: StoredLetter['payloadForm']
  payload_bytes: string
  dead_lettered_ms: number
  payload: Buffer | null
}

/** Those that are still to be replayed, in the order asked. A payload is not fetched when it is larger than an entry may be. */
async function readLetters(pool: pg.Pool, letters: readonly LetterRef[]): Promise<ReadLetter[]> {
  const { rows } = await pool.query<LetterRow>(
    `select letter_id, entry_ms, entry_seq, record_index, reason, payload_form, payload_bytes,
            floor(extract(epoch from dead_lettered_at) * 1000)::float8 as dead_lettered_ms,
            case when payload_bytes <= $2 then payload end as payload
       from unnest($1::uuid[]) with ordinality as asked (letter_id, position) join dead_letters using (letter_id)
      where replayed_at is null and purged_at is null order by position`,
    [letters.map(({ letterId }) => letterId), ENTRY_MAX_BYTES],
  )
  return rows.map((row) => ({
    letterId: row.letter_id,
    entryId: {
      ms: BigInt.asUintN(64, BigInt(row.entry_ms)),
      seq: BigInt.asUintN(64, BigInt(row.entry_seq)),
    },
    recordIndex: row.record_index,
    reason: row.reason,
    payloadForm: row.payload_form,
    deadLetteredAtMs: row.dead_lettered_ms,
    payload: row.payload ?? undefined,
    tooLargeBytes: Number(row.payload_bytes) > ENTRY_MAX_BYTES ? Number(row.payload_bytes) : undefined,
  }))
}
