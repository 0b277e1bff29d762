import { setImmediate as turn } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { messageOf } from '../../errors.ts'
import { createDecodeContext } from '../../models/decode-context.ts'
import { RECORD_DECODERS } from '../../models/decode-record.ts'
import { type OtlpEncoding, readOtlpRequest } from '../../models/otlp/read-request.ts'
import { splitRequest } from '../../models/otlp/split-request.ts'
import { limitsAt, type RecordLimits } from '../../models/record-limits.ts'
import type { Rejection, RejectionReason } from '../../models/rejection.ts'
import { ENTRY_MAX_BYTES, ENTRY_MAX_RECORDS, streamKey } from '../../models/stream-entry.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { addOnce } from '../../producer/add-once.ts'
import type { ExportOutcome } from './otlp-answer.ts'
import { OtlpRefusal } from './otlp-refusal.ts'
import type { WriteBarrier } from './write-barrier.ts'

export interface OtlpReceiverOptions {
  readonly redis: Redis
  readonly streamPrefix: string
  /** Entries of a stream past which no more are added. */
  readonly streamMaxEntries: number
  readonly recordLimits: RecordLimits
  /** Where an answer of 200 says more than that Redis has taken it. */
  readonly barrier: WriteBarrier | undefined
  /** Told of what Redis did not take. */
  readonly onError: (error: unknown, signal: TelemetrySignal) => void
}

export interface ExportRequest {
  readonly signal: TelemetrySignal
  readonly encoding: OtlpEncoding
  readonly body: Buffer
}

/** A larger body becomes several entries. */
const SPLIT_BYTES = 4 * 1024 * 1024
/** Of a request whose records all are refused for one of these, nothing can be made later: most likely it is one of another signal. */
const MISFITS: ReadonlySet<RejectionReason> = new Set(['wrong_type', 'missing_field', 'bad_id'])

const RETRY_AFTER_SECONDS = 5
const NANOS_PER_MS = 1_000_000n

/** Puts export requests into the streams, as they came, once it is known that they can be read. */
export class OtlpReceiver {
  readonly #options: OtlpReceiverOptions

  constructor(options: OtlpReceiverOptions) {
    this.#options = options
  }

  /**
   * Resolves when Redis has all of the request. The same body sent again within an hour is answered like the first and added once.
   *
   * Records that ingest is going to refuse are in the outcome, and become dead letters.
   *
   * @throws OtlpRefusal 400 for what cannot be read, 503 where Redis does not take it.
   */
  async receive({ signal, encoding, body }: ExportRequest): Promise<ExportOutcome> {
    const { parts, rejection } = splitRequest(withoutLeadingSpace(body, encoding), signal, {
      encoding,
      ...{ splitBytes: SPLIT_BYTES, maxBytes: ENTRY_MAX_BYTES, maxRecords: ENTRY_MAX_RECORDS },
    })
    if (rejection !== undefined) throw notReadable(rejection)
    let records = 0
    const rejections: Rejection[] = []
    for (const part of parts) {
      const checked = this.#check(part, signal, encoding)
      records += checked.records
      for (const each of checked.rejections) rejections.push(each)
      // A large body takes seconds in all.
      await turn()
    }
    const [first] = rejections
    if (first !== undefined && rejections.length === records && rejections.every(isMisfit))
      throw notReadable({
        ...first,
        detail: `none of the ${records} records is one of ${signal}: ${first.detail}`,
      })
    if (records > 0) await this.#add(signal, parts)
    return {
      rejected: rejections.length,
      message: first && partialMessage(first, rejections.length, records),
    }
  }

  /** What ingest will say of each record. */
  #check(
    part: Buffer,
    signal: TelemetrySignal,
    encoding: OtlpEncoding,
  ): { readonly records: number; readonly rejections: readonly Rejection[] } {
    const request = readOtlpRequest(part, signal, encoding)
    if (request.rejection !== undefined) throw notReadable(request.rejection)
    const nowMs = Date.now()
    const context = createDecodeContext(limitsAt(this.#options.recordLimits, nowMs))
    // As the entry's id will give it to a log record without a time.
    context.defaultTimeUnixNano = BigInt(nowMs) * NANOS_PER_MS
    context.suspicious = request.suspicious
    context.entryBytes = part.length
    const decode = RECORD_DECODERS[signal]
    const rejections: Rejection[] = []
    for (const record of request.records) {
      const { rejection } = decode(record, context)
      if (rejection !== undefined) rejections.push(rejection)
    }
    return { records: request.records.length, rejections }
  }

  async #add(signal: TelemetrySignal, parts: readonly Buffer[]): Promise<void> {
    const { redis, streamPrefix, streamMaxEntries, barrier, onError } = this.#options
    const stream = streamKey(streamPrefix, signal)
    try {
      if ((await redis.xlen(stream)) >= streamMaxEntries) throw full(stream)
      const mark = barrier?.mark() ?? 0
      for (const part of parts) await addOnce(redis, { stream, fields: { otlp: part } })
      await barrier?.passed(mark)
    } catch (error) {
      if (error instanceof OtlpRefusal) throw error
      onError(error, signal)
      throw new OtlpRefusal(503, `Redis does not take it at the moment: ${messageOf(error)}`, {
        retryAfter: RETRY_AFTER_SECONDS,
        cause: error,
      })
    }
  }
}

function isMisfit({ reason }: Rejection): boolean {
  return MISFITS.has(reason)
}

/** The entry's encoding is told by its first byte. */
function withoutLeadingSpace(body: Buffer, encoding: OtlpEncoding): Buffer {
  return encoding === 'json' ? body.subarray(Math.max(0, body.indexOf('{'))) : body
}

function notReadable({ reason, detail }: Rejection): OtlpRefusal {
  return new OtlpRefusal(400, `${detail} (${reason})`)
}

function full(stream: string): OtlpRefusal {
  return new OtlpRefusal(
    503,
    `${stream} is full (OTLP_BACKLOG_MAX_ENTRIES): ingest is behind; send this again later`,
    {
      retryAfter: RETRY_AFTER_SECONDS,
    },
  )
}

function partialMessage({ reason, detail }: Rejection, rejected: number, records: number): string {
  return `${rejected} of ${records} records are refused and kept as dead letters; the first: ${detail} (${reason})`
}
