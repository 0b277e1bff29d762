import { isUtf8 } from 'node:buffer'
import type { DecodeContext, DecodeLimits } from '../decode-context.ts'
import { parseJson } from '../json.ts'
import { CLOSE_BRACKET, FAIL, OPEN_BRACKET } from './json-scanner.ts'
import { RecordSlots } from './record-slots.ts'
import type { ScannedRecord } from './scanned-record.ts'

/** How the usual records of a signal are read. */
export interface RecordScan {
  /** The fields that a usual record may have. */
  readonly fields: readonly string[]
  /** The record, or undefined where it is not as usual, or is to be refused: the decoder of parsed records then says what it is. */
  scan(slots: RecordSlots, context: DecodeContext): ScannedRecord | undefined
}

/** What an entry's JSON holds: records, and what is still to be decoded. */
export interface ScannedRecords {
  readonly records: readonly unknown[]
  readonly isList: boolean
}

/**
 * Reads the JSON of an entry, one record or a list of them. Records of the usual form it reads without parsing them, a fraction of the work; the others of an entry
 * it parses.
 *
 * To an entry that is not well-formed, or needs care (NUL, escapes of surrogates, more depth than attributes may have), it says undefined: it is for
 * `parseJson` to find out what it is. What both take, they read alike.
 */
export class RecordScanner extends RecordSlots {
  readonly #scan: RecordScan
  #limits: DecodeLimits | undefined

  /** @param maxDepth containers that may stand inside one another in an attribute. */
  constructor(scan: RecordScan, maxDepth: number) {
    super(scan.fields, maxDepth)
    this.#scan = scan
  }

  scan(json: Buffer, context: DecodeContext): ScannedRecords | undefined {
    this.begin(json)
    if (context.limits !== this.#limits) this.#accept(context.limits)
    const records: unknown[] = []
    const from = this.skipWhite(0)
    const isList = json[from] === OPEN_BRACKET
    const to = isList ? this.#readList(from, records, context) : this.#readRecord(from, records, context)
    if (to === FAIL || this.skipWhite(to) !== this.end) return undefined
    return this.isAscii || isUtf8(json) ? { records, isList } : undefined
  }

  #accept(limits: DecodeLimits): void {
    this.#limits = limits
    this.earliestMicros = Number(limits.earliest / 1000n) + 1
    this.latestMicros = Number(limits.latest / 1000n) - 1
  }

  #readList(from: number, records: unknown[], context: DecodeContext): number {
    const { bytes } = this
    let at = this.skipWhite(from + 1)
    while (bytes[at] !== CLOSE_BRACKET) {
      at = this.#readRecord(at, records, context)
      if (at === FAIL) return FAIL
      at = this.skipComma(at, CLOSE_BRACKET)
      if (at === FAIL) return FAIL
    }
    return at + 1
  }

  #readRecord(from: number, records: unknown[], context: DecodeContext): number {
    const to = this.walkRecord(from)
    if (to === FAIL) return FAIL
    context.rejection = undefined
    const scanned = this.isUsual ? this.#scan.scan(this, context) : undefined
    records.push(scanned ?? parseJson(this.bytes.toString('utf8', from, to)).value)
    return to
  }
}
