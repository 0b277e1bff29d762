import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { messageOf } from '../../errors.ts'
import { createDecodeContext } from '../../models/decode-context.ts'
import { RECORD_DECODERS } from '../../models/decode-record.ts'
import { type OtlpEncoding, readOtlpRequest } from '../../models/otlp/read-request.ts'
import { splitRequest } from '../../models/otlp/split-request.ts'
import { limitsAt, type RecordLimits } from '../../models/record-limits.ts'
import type { Rejection, RejectionReason } from '../../models/rejection.ts'
import { isWhite } from '../../models/scan/json-scanner.ts'
import { ENTRY_MAX_BYTES, ENTRY_MAX_RECORDS, streamKey } from '../../models/stream-entry.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { addOnce } from '../../producer/add-once.ts'
import type { RateLimiter } from '../access/rate-limiter.ts'
import type { ExportOutcome } from './otlp-answer.ts'
import { OtlpRefusal } from './otlp-refusal.ts'
import type { WriteBarrier } from './write-barrier.ts'

export interface OtlpReceiverOptions {
  readonly redis: Redis
  readonly streamPrefix: string
  /** Entries of a stream past which no more are added. */
  readonly streamMaxEntries: number
  readonly recordLimits: RecordLimits
  /** Of records of one service. */
  readonly serviceLimiter: RateLimiter | undefined
  /** Where an answer of 200 says more than that Redis has taken it. */
  readonly barrier: WriteBarrier | undefined
  /** Told of what Redis did not take. */
  readonly onError: (error: unknown, signal: TelemetrySignal) => void
}

export interface ExportRequest {
  readonly signal: TelemetrySignal
  readonly encoding: OtlpEncoding
  /** Taken once: nothing of it is kept where it was. */
  readonly body: { take(): Buffer }
}

/** What the decoders said of the records of a request. */
interface Checked {
  records: number
  rejected: number
  /** Of those rejected. */
  areAllMisfits: boolean
  first: Rejection | undefined
  /** How many there are of each service. */
  readonly services: Map<string, number>
}

/** A larger body becomes several entries. */
const SPLIT_BYTES = 4 * 1024 * 1024
/** An entry less its field's name. */
const LARGEST_BYTES = ENTRY_MAX_BYTES - 1024
/** Each part repeats what stands around its records: the body may grow by an eighth. */
const MAX_HEADER_BYTES = SPLIT_BYTES / 8
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
   * @throws OtlpRefusal 400 for what cannot be read, 429 where a service sends too much, 503 where Redis does not take it.
   */
  async receive(request: ExportRequest): Promise<ExportOutcome> {
    const { signal } = request
    const { parts, digest } = this.#split(request)
    const checked: Checked = {
      records: 0,
      rejected: 0,
      areAllMisfits: true,
      first: undefined,
      services: new Map(),
    }
    for (const part of parts) {
      this.#check(part, request, checked)
      // A large body takes seconds in all.
      await turn()
    }
    const { records, rejected, areAllMisfits, first } = checked
    if (first !== undefined && rejected === records && areAllMisfits)
      throw notReadable({
        ...first,
        detail: `none of the ${records} records is one of ${signal}: ${first.detail}`,
      })
    this.#limit(checked.services)
    if (records > 0) await this.#add(signal, parts, digest)
    return { rejected, message: first && partialMessage(first, rejected, records) }
  }

  /** The body itself is not needed after it: one of many parts is not in memory twice. */
  #split({ signal, encoding, body }: ExportRequest): { parts: Buffer[]; digest: string } {
    const whole = withoutLeadingSpace(body.take(), encoding)
    const { parts, rejection } = splitRequest(whole, signal, {
      encoding,
      splitBytes: SPLIT_BYTES,
      maxBytes: Math.min(LARGEST_BYTES, 2 * Math.max(SPLIT_BYTES, this.#options.recordLimits.maxRecordBytes)),
      maxRecords: ENTRY_MAX_RECORDS,
      maxHeaderBytes: MAX_HEADER_BYTES,
    })
    if (rejection !== undefined) throw notReadable(rejection)
    return { parts: [...parts], digest: createHash('sha256').update(whole).digest('hex') }
  }

  /** What ingest will say of each record. */
  #check(part: Buffer, { signal, encoding }: ExportRequest, checked: Checked): void {
    const request = readOtlpRequest(part, signal, encoding)
    if (request.rejection !== undefined) throw notReadable(request.rejection)
    const nowMs = Date.now()
    const context = createDecodeContext(limitsAt(this.#options.recordLimits, nowMs))
    // As the entry's id will give it to a log record without a time.
    context.defaultTimeUnixNano = BigInt(nowMs) * NANOS_PER_MS
    context.suspicious = request.suspicious
    context.entryBytes = part.length
    const decode = RECORD_DECODERS[signal]
    checked.records += request.records.length
    for (const record of request.records) {
      const { record: decoded, rejection } = decode(record, context)
      if (rejection === undefined) {
        const { services } = checked
        if (this.#options.serviceLimiter !== undefined)
          services.set(decoded.service, (services.get(decoded.service) ?? 0) + 1)
        continue
      }
      checked.rejected += 1
      checked.first ??= rejection
      checked.areAllMisfits &&= MISFITS.has(rejection.reason)
    }
  }

  /** A request is taken whole or not at all: it waits for the service that is furthest ahead. */
  #limit(services: ReadonlyMap<string, number>): void {
    const { serviceLimiter } = this.#options
    if (serviceLimiter === undefined) return
    for (const service of services.keys()) {
      const waitSeconds = serviceLimiter.waitOf(service)
      if (waitSeconds > 0) throw tooMuch(service, waitSeconds)
    }
    for (const [service, records] of services) serviceLimiter.take(service, records)
  }

  /**
   * Parts that say the same are parts all the same: the key of each says where in which body it is. A part that Redis has is let go: ingest may be reading it already.
   */
  async #add(signal: TelemetrySignal, parts: Buffer[], digest: string): Promise<void> {
    const { redis, streamPrefix, streamMaxEntries, barrier, onError } = this.#options
    const stream = streamKey(streamPrefix, signal)
    try {
      if ((await redis.xlen(stream)) >= streamMaxEntries) throw full(stream)
      const mark = barrier?.mark() ?? 0
      for (let index = 0; parts.length > 0; index += 1)
        await addOnce(redis, { stream, fields: { otlp: parts.shift() as Buffer }, key: `${digest}:${index}` })
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

/** The entry's encoding is told by how it begins. */
function withoutLeadingSpace(body: Buffer, encoding: OtlpEncoding): Buffer {
  if (encoding !== 'json') return body
  let from = body.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0
  while (from < body.length && isWhite(body[from] as number)) from += 1
  return body.subarray(from)
}

const BOM = Buffer.from('\ufeff')

function notReadable({ reason, detail }: Rejection): OtlpRefusal {
  return new OtlpRefusal(400, `${detail} (${reason})`)
}

function tooMuch(service: string, waitSeconds: number): OtlpRefusal {
  const message = `the service ${JSON.stringify(service.slice(0, 100))} sends more records a second than it may (OTLP_SERVICE_RATE_LIMIT); send this again later`
  return new OtlpRefusal(429, message, { retryAfter: Math.ceil(waitSeconds) })
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
