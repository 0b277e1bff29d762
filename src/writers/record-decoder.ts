import { randomBytes } from 'node:crypto'
import { messageOf } from '../errors.ts'
import type { DeadLetter } from '../models/dead-letter.ts'
import { createDecodeContext, type DecodeContext } from '../models/decode-context.ts'
import { RECORD_DECODERS } from '../models/decode-record.ts'
import { looseRecordJson } from '../models/loose-record.ts'
import { NO_PRIVACY, type Privacy } from '../models/privacy/privacy.ts'
import { privateLetter } from '../models/privacy/private-letter.ts'
import { DEFAULT_RECORD_LIMITS, limitsAt, type RecordLimits } from '../models/record-limits.ts'
import type { Decoded } from '../models/rejection.ts'
import { type RecordScan, RecordScanner, type ScannedRecords } from '../models/scan/record-scanner.ts'
import { createDataPointScan } from '../models/scan/scan-data-point.ts'
import { createLogRecordScan } from '../models/scan/scan-log-record.ts'
import { createSpanScan } from '../models/scan/scan-span.ts'
import { isScanned, type ScannedRecord } from '../models/scan/scanned-record.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { DecodedChunk } from './batch.ts'

const NANOS_PER_MS = 1_000_000n

const SCANS: Readonly<Record<TelemetrySignal, () => RecordScan>> = {
  traces: createSpanScan,
  metrics: createDataPointScan,
  logs: createLogRecordScan,
}

/** The good and the refused records of one entry. */
export interface DecodedRecords<T> {
  readonly records: readonly T[]
  readonly recordIndexes: readonly number[]
  readonly letters: readonly DeadLetter[]
}

const FIRST_ONLY: readonly number[] = [0]
const NO_LETTERS: readonly DeadLetter[] = []

/** Decodes the loose records of one signal, whatever they came in, and hides of them what is not to be kept. */
export class RecordDecoder<T> {
  readonly signal: TelemetrySignal
  readonly #decode: (input: unknown, context: DecodeContext) => Decoded<T>
  readonly #limits: RecordLimits
  readonly #scanner: RecordScanner

  readonly #privacy: Privacy

  constructor(signal: TelemetrySignal, limits: Partial<RecordLimits> = {}, privacy = NO_PRIVACY) {
    this.signal = signal
    const decode = RECORD_DECODERS[signal] as (input: unknown, context: DecodeContext) => Decoded<T>
    this.#decode = privacy.isIdle ? decode : (input, context) => keepPrivate(decode(input, context), context)
    const keepPrivate = (decoded: Decoded<T>, { redacted }: DecodeContext): Decoded<T> => {
      if (decoded.rejection !== undefined) return decoded
      try {
        return { record: privacy.record(signal, decoded.record as object, redacted) as T }
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        const detail = `what must not be kept of it cannot be told from the rest: ${error.message}`
        return { rejection: { reason: 'too_deep', detail } }
      }
    }
    this.#privacy = privacy
    this.#limits = { ...DEFAULT_RECORD_LIMITS, ...limits }
    this.#scanner = new RecordScanner(SCANS[signal](), this.#limits.maxDepth)
  }

  /** A context for what is decoded now: the accepted window moves with the clock. */
  context(nowMs: number): DecodeContext {
    return createDecodeContext(limitsAt(this.#limits, nowMs))
  }

  /** Reads an entry's JSON without parsing what is as usual in it; undefined where all of it must be parsed. */
  scan(json: Buffer, context: DecodeContext): ScannedRecords | undefined {
    // What was only scanned is not known word for word.
    const mayScan = this.#privacy.isIdle && context.entryBytes <= this.#limits.maxRecordBytes
    return mayScan ? this.#scanner.scan(json, context) : undefined
  }

  /** Decodes what was scanned: records that were parsed, beside those that need no decoding any more. */
  decodeScanned(
    { records: inputs }: ScannedRecords,
    context: DecodeContext,
  ): DecodedRecords<T | ScannedRecord> {
    const [first] = inputs
    // Nearly every entry is one record of the usual form.
    if (inputs.length === 1 && isScanned(first)) {
      return { records: [first], recordIndexes: FIRST_ONLY, letters: NO_LETTERS }
    }
    const decode = (input: unknown) => (isScanned(input) ? { record: input } : this.#decode(input, context))
    return decodeEach<T | ScannedRecord>(inputs, decode)
  }

  /** Decodes each input by itself: one refused record refuses itself alone. */
  decodeAll(inputs: readonly unknown[], context: DecodeContext, decode = this.#decode): DecodedRecords<T> {
    return decodeEach(inputs, (input) => decode(input, context))
  }

  /** Letters as they may be kept. */
  privateLetters(letters: readonly DeadLetter[], { redacted }: DecodeContext): readonly DeadLetter[] {
    return letters.map((letter) => privateLetter(letter, this.#privacy, redacted))
  }

  /**
   * Decodes records that came by no stream. They are one entry of the writer's own: its id is made here, random so that it is used once,
   * and the ledger tells by it a COMMIT whose answer was lost from one that failed.
   */
  decodeChunk(inputs: readonly unknown[]): DecodedChunk<T> {
    const readAt = Date.now()
    const context = this.context(readAt)
    context.defaultTimeUnixNano = BigInt(readAt) * NANOS_PER_MS
    context.suspicious = true
    context.entryBytes = looseRecordJson(inputs).length
    const decoded = this.decodeAll(inputs, context, (input, each) => this.#decodeForeign(input, each))
    const entry = {
      id: { ms: BigInt(readAt), seq: randomBytes(8).readBigUInt64BE() },
      crc: 0,
      bytes: context.entryBytes,
      ...decoded,
      letters: this.privateLetters(decoded.letters, context),
    }
    return { contiguous: false, readAt, entries: [entry] }
  }

  /** An application's object may throw when it is read (a getter, a revoked proxy): then it alone is refused. */
  #decodeForeign(input: unknown, context: DecodeContext): Decoded<T> {
    try {
      return this.#decode(input, context)
    } catch (error) {
      return { rejection: { reason: 'wrong_type', detail: `the record cannot be read: ${messageOf(error)}` } }
    }
  }
}

function decodeEach<T>(
  inputs: readonly unknown[],
  decode: (input: unknown) => Decoded<T>,
): DecodedRecords<T> {
  const records: T[] = []
  const recordIndexes: number[] = []
  const letters: DeadLetter[] = []
  inputs.forEach((input, recordIndex) => {
    const { record, rejection } = decode(input)
    if (rejection === undefined) {
      records.push(record)
      recordIndexes.push(recordIndex)
    } else {
      const payload = Buffer.from(looseRecordJson(input))
      letters.push({ ...rejection, recordIndex, sqlState: undefined, payloadForm: 'record', payload })
    }
  })
  return { records, recordIndexes, letters }
}
