/**
 * Encodes rows as PostgreSQL's COPY BINARY into one growing buffer.
 *
 * Format: PostgreSQL documentation, "COPY", section "Binary Format"; each type as its `typreceive` function reads it.
 * The file header and trailer are not in the buffer: they are added when it is sent, so that any run of rows can be sent alone.
 *
 * Some forty fields a row go through here. So numbers are written by a DataView, whose methods V8 compiles to plain stores, where those
 * of Buffer are calls with checks; and short text and ids byte by byte, for a call into C++ costs more than thirty of them.
 */

import { floorDivide } from '../models/floor-divide.ts'
import type { UnparsedObject } from '../models/scan/unparsed-object.ts'
import type { CopyBuffers } from './copy-buffers.ts'

/** "PGCOPY\n\377\r\n\0", then 32 bits of flags and the length of a header extension, both zero. */
export const COPY_HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex')
/** A field count of -1. */
export const COPY_TRAILER = Buffer.from([0xff, 0xff])

/** Microseconds between the Unix epoch and PostgreSQL's, 2000-01-01. */
const POSTGRES_EPOCH_MICROS = 946_684_800_000_000n
const POSTGRES_EPOCH_MICROS_NUMBER = Number(POSTGRES_EPOCH_MICROS)
const FLOAT8_OID = 701
const INT8_OID = 20
/** UTF-8 takes at most three bytes for each UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3
const NO_BYTES = Buffer.alloc(0)
const NO_VIEW = new DataView(new ArrayBuffer(0))
/** Longer text is written by one call. */
const SHORT_TEXT_UNITS = 32
const MAX_ASCII = 0x7f
const TWO_32 = 2 ** 32

/** The value of a hex digit by its ASCII code. */
const HEX_VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(value) ? 0 : value
})

export class CopyEncoder {
  #buffer: Buffer = NO_BYTES
  #view: DataView = NO_VIEW
  #length = 0
  readonly #buffers: CopyBuffers
  readonly #rowStarts: number[] = []

  /** @param buffers where the first buffer is from, taken with the first row; it doubles when it is too small. */
  constructor(buffers: CopyBuffers) {
    this.#buffers = buffers
  }

  get rows(): number {
    return this.#rowStarts.length
  }

  get bytes(): number {
    return this.#length
  }

  /** The encoded rows `from` (inclusive) to `to` (exclusive), without copying. */
  slice(from: number, to: number): Buffer {
    const end = to < this.#rowStarts.length ? this.#rowStarts[to] : this.#length
    return this.#buffer.subarray(this.#rowStarts[from] ?? this.#length, end)
  }

  /** The same rows in another order, copied. */
  inOrder(rows: readonly number[]): CopyEncoder {
    const ordered = new CopyEncoder(this.#buffers)
    ordered.#reserve(this.#length)
    for (const row of rows) {
      ordered.#rowStarts.push(ordered.#length)
      const from = this.#rowStarts[row] ?? this.#length
      ordered.#length += this.#buffer.copy(
        ordered.#buffer,
        ordered.#length,
        from,
        this.#rowStarts[row + 1] ?? this.#length,
      )
    }
    return ordered
  }

  /** Gives its memory back: none of its rows can be had any more. Nobody may be sending them. */
  release(): void {
    this.#buffers.giveBack(this.#buffer)
    this.#buffer = NO_BYTES
    this.#view = NO_VIEW
  }

  startRow(fields: number): void {
    this.#rowStarts.push(this.#length)
    this.#reserve(2)
    this.#view.setInt16(this.#length, fields)
    this.#length += 2
  }

  /** So many fields that are null. */
  nulls(count: number): void {
    this.#reserve(4 * count)
    for (let field = 0; field < count; field += 1) {
      this.#view.setInt32(this.#length, -1)
      this.#length += 4
    }
  }

  bool(value: boolean): void {
    const at = this.#fixed(1)
    this.#view.setUint8(at, value ? 1 : 0)
  }

  int2(value: number): void {
    const at = this.#fixed(2)
    this.#view.setInt16(at, value)
  }

  int4(value: number | undefined): void {
    if (value === undefined) {
      this.nulls(1)
      return
    }
    const at = this.#fixed(4)
    this.#view.setInt32(at, value)
  }

  /** @param value a number must be a safe integer. */
  int8(value: bigint | number | undefined): void {
    if (value === undefined) {
      this.nulls(1)
      return
    }
    const at = this.#fixed(8)
    if (typeof value === 'bigint') this.#view.setBigInt64(at, value)
    else {
      this.#view.setInt32(at, Math.floor(value / TWO_32))
      // ToUint32: the lower half, of negative numbers too.
      this.#view.setUint32(at + 4, value % TWO_32)
    }
  }

  /** Unsigned: past 2^63 it is stored as its two's complement, which has the same bits. */
  uint8(value: bigint): void {
    const at = this.#fixed(8)
    this.#view.setBigUint64(at, value)
  }

  float8(value: number | undefined): void {
    if (value === undefined) {
      this.nulls(1)
      return
    }
    const at = this.#fixed(8)
    this.#view.setFloat64(at, value)
  }

  /** A `timestamptz` from unix nanoseconds. PostgreSQL keeps microseconds: rounded down, so that order is kept. */
  timestamptz(unixNano: bigint): void {
    this.int8(floorDivide(unixNano, 1000n) - POSTGRES_EPOCH_MICROS)
  }

  text(value: string | undefined): void {
    if (value === undefined) {
      this.nulls(1)
      return
    }
    this.#reserve(4 + value.length * MAX_BYTES_PER_UNIT)
    const written = this.#write(value, this.#length + 4)
    this.#view.setInt32(this.#length, written)
    this.#length += 4 + written
  }

  /** A `jsonb` from JSON text: one version byte, then the text. */
  jsonb(json: string | undefined): void {
    if (json === undefined) {
      this.nulls(1)
      return
    }
    this.#reserve(5 + json.length * MAX_BYTES_PER_UNIT)
    const written = this.#write(json, this.#length + 5) + 1
    this.#view.setInt32(this.#length, written)
    this.#view.setUint8(this.#length + 4, 1)
    this.#length += 4 + written
  }

  /** A `jsonb` from an object that was not parsed; an empty one where there is none. */
  object(object: UnparsedObject | undefined): void {
    if (object === undefined) {
      this.jsonb('{}')
      return
    }
    const { bytes, from, to } = object
    const at = this.#fixed(1 + to - from)
    this.#view.setUint8(at, 1)
    bytes.copy(this.#buffer, at + 1, from, to)
  }

  /** A `text` that is UTF-8 already, from `from` to before `to`; null at a negative position. */
  utf8(bytes: Buffer, from: number, to: number): void {
    if (from < 0) {
      this.nulls(1)
      return
    }
    const at = this.#fixed(to - from)
    const buffer = this.#buffer
    if (to - from > SHORT_TEXT_UNITS) bytes.copy(buffer, at, from, to)
    else for (let index = from; index < to; index += 1) buffer[at + index - from] = bytes[index] as number
  }

  /** A `uuid` or `bytea` from so many hex digits at a position; null at a negative one. */
  hexDigits(bytes: Buffer, from: number, digits: number): void {
    if (from < 0) {
      this.nulls(1)
      return
    }
    const at = this.#fixed(digits >> 1)
    const buffer = this.#buffer
    for (let byte = 0; byte < digits >> 1; byte += 1) {
      const high = HEX_VALUES[bytes[from + 2 * byte] as number] as number
      const low = HEX_VALUES[bytes[from + 2 * byte + 1] as number] as number
      buffer[at + byte] = (high << 4) | low
    }
  }

  /** A `timestamptz` from unix microseconds. */
  timestamptzOfMicros(micros: number): void {
    this.int8(micros - POSTGRES_EPOCH_MICROS_NUMBER)
  }

  /** An `int8` of unix nanoseconds: `micros` is a safe integer, `nanos` below 1000; null at negative `micros`. */
  unixNano(micros: number, nanos: number): void {
    if (micros < 0) {
      this.nulls(1)
      return
    }
    const at = this.#fixed(8)
    const low = (micros % TWO_32) * 1000 + nanos
    this.#view.setInt32(at, Math.floor(micros / TWO_32) * 1000 + Math.floor(low / TWO_32))
    this.#view.setUint32(at + 4, low % TWO_32)
  }

  /** A `uuid` or `bytea` from an even number of hex digits. */
  hex(value: string | undefined): void {
    if (value === undefined) {
      this.nulls(1)
      return
    }
    const bytes = value.length >> 1
    const at = this.#fixed(bytes)
    const buffer = this.#buffer
    for (let byte = 0; byte < bytes; byte += 1) {
      const high = HEX_VALUES[value.charCodeAt(2 * byte)] ?? 0
      const low = HEX_VALUES[value.charCodeAt(2 * byte + 1)] ?? 0
      buffer[at + byte] = (high << 4) | low
    }
  }

  bytea(value: Uint8Array | undefined): void {
    if (value === undefined) {
      this.nulls(1)
      return
    }
    const at = this.#fixed(value.length)
    this.#buffer.set(value, at)
  }

  float8Array(values: readonly number[] | undefined): void {
    if (values === undefined) {
      this.nulls(1)
      return
    }
    this.#arrayHeader(values.length, FLOAT8_OID)
    for (const value of values) this.float8(value)
  }

  int8Array(values: readonly bigint[] | undefined): void {
    if (values === undefined) {
      this.nulls(1)
      return
    }
    this.#arrayHeader(values.length, INT8_OID)
    for (const value of values) this.int8(value)
  }

  /** A `numeric` from plain decimal text such as `-12.0340`; its scale is kept. */
  numeric(decimal: string | undefined): void {
    if (decimal === undefined) {
      this.nulls(1)
      return
    }
    const negative = decimal.startsWith('-')
    const [whole = '', fraction = ''] = decimal.replace(/^[+-]/, '').split('.')
    const wholeGroups = Math.ceil(whole.length / 4)
    const fractionGroups = Math.ceil(fraction.length / 4)
    const digits = whole.padStart(wholeGroups * 4, '0') + fraction.padEnd(fractionGroups * 4, '0')
    const groups = wholeGroups + fractionGroups
    const at = this.#fixed(8 + groups * 2)
    this.#view.setInt16(at, groups)
    this.#view.setInt16(at + 2, wholeGroups - 1)
    this.#view.setInt16(at + 4, negative ? 0x4000 : 0)
    this.#view.setInt16(at + 6, fraction.length)
    for (let group = 0; group < groups; group += 1) {
      this.#view.setInt16(at + 8 + 2 * group, Number(digits.slice(group * 4, group * 4 + 4)))
    }
  }

  /** A `numeric` of so many 10^-12, at least 0 and a safe integer, without trailing zeros. */
  numericOfPicos(picos: number): void {
    if (picos === 0) {
      this.numeric('0')
      return
    }
    // Groups of four digits, one before the point and three behind it, without those at either end that are 0.
    let weight = 0
    let unit = 1e12
    for (; picos < unit; unit /= 1e4) weight -= 1
    let groups = 4 + weight
    for (let lowest = 1e4; picos % lowest === 0; lowest *= 1e4) groups -= 1
    let scale = 12
    for (let power = 10; scale > 0 && picos % power === 0; power *= 10) scale -= 1
    const at = this.#fixed(8 + groups * 2)
    this.#view.setInt16(at, groups)
    this.#view.setInt16(at + 2, weight)
    this.#view.setInt16(at + 4, 0)
    this.#view.setInt16(at + 6, scale)
    for (let group = 0; group < groups; group += 1) {
      this.#view.setInt16(at + 8 + 2 * group, Math.floor(picos / unit) % 1e4)
      unit /= 1e4
    }
  }

  /** One dimension with lower bound 1, no nulls; an empty array has no dimension. */
  #arrayHeader(elements: number, elementOid: number): void {
    const dimensions = elements === 0 ? 0 : 1
    const header = 12 + dimensions * 8
    const at = this.#fixed(header + elements * 12)
    // The elements are still to be written, each with its length.
    this.#length = at + header
    this.#view.setInt32(at, dimensions)
    this.#view.setInt32(at + 4, 0)
    this.#view.setInt32(at + 8, elementOid)
    if (dimensions === 0) return
    this.#view.setInt32(at + 12, elements)
    this.#view.setInt32(at + 16, 1)
  }

  /** Writes the length of a field. @returns where its bytes go. */
  #fixed(bytes: number): number {
    this.#reserve(4 + bytes)
    this.#view.setInt32(this.#length, bytes)
    const at = this.#length + 4
    this.#length = at + bytes
    return at
  }

  /** Writes text as UTF-8 where there is room for it. @returns how many bytes it took. */
  #write(text: string, at: number): number {
    if (text.length > SHORT_TEXT_UNITS) return this.#buffer.write(text, at, 'utf8')
    const buffer = this.#buffer
    for (let unit = 0; unit < text.length; unit += 1) {
      const code = text.charCodeAt(unit)
      if (code > MAX_ASCII) return buffer.write(text, at, 'utf8')
      buffer[at + unit] = code
    }
    return text.length
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    if (this.#buffer === NO_BYTES) this.#use(this.#buffers.take())
    if (needed > this.#buffer.length)
      this.#use(Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2)))
  }

  /** Goes on in another buffer. */
  #use(buffer: Buffer): void {
    this.#buffer.copy(buffer, 0, 0, this.#length)
    this.#buffers.giveBack(this.#buffer)
    this.#buffer = buffer
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  }
}
