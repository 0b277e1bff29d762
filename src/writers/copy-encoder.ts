/**
 * Encodes rows as PostgreSQL's COPY BINARY into one growing buffer.
 *
 * Format: PostgreSQL documentation, "COPY", section "Binary Format"; each type as its `typreceive` function reads it.
 * The file header and trailer are not in the buffer: they are added when it is sent, so that any run of rows can be sent alone.
 */

import { floorDivide } from '../models/floor-divide.ts'

/** "PGCOPY\n\377\r\n\0", then 32 bits of flags and the length of a header extension, both zero. */
export const COPY_HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex')
/** A field count of -1. */
export const COPY_TRAILER = Buffer.from([0xff, 0xff])

/** Microseconds between the Unix epoch and PostgreSQL's, 2000-01-01. */
const POSTGRES_EPOCH_MICROS = 946_684_800_000_000n
const FLOAT8_OID = 701
const INT8_OID = 20
/** UTF-8 takes at most three bytes for each UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3
const MIN_CAPACITY = 64 * 1024

export class CopyEncoder {
  #buffer = Buffer.alloc(0)
  #length = 0
  readonly #expectedBytes: number
  readonly #rowStarts: number[] = []

  /** @param expectedBytes size of the first allocation, made with the first row; the buffer doubles when it is too small. */
  constructor(expectedBytes: number) {
    this.#expectedBytes = Math.max(MIN_CAPACITY, expectedBytes)
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

  startRow(fields: number): void {
    this.#rowStarts.push(this.#length)
    this.#reserve(2)
    this.#length = this.#buffer.writeInt16BE(fields, this.#length)
  }

  null(): void {
    this.#reserve(4)
    this.#length = this.#buffer.writeInt32BE(-1, this.#length)
  }

  bool(value: boolean): void {
    this.#fixed(1)
    this.#length = this.#buffer.writeUInt8(value ? 1 : 0, this.#length)
  }

  int2(value: number): void {
    this.#fixed(2)
    this.#length = this.#buffer.writeInt16BE(value, this.#length)
  }

  int4(value: number | undefined): void {
    if (value === undefined) {
      this.null()
      return
    }
    this.#fixed(4)
    this.#length = this.#buffer.writeInt32BE(value, this.#length)
  }

  int8(value: bigint | number | undefined): void {
    if (value === undefined) {
      this.null()
      return
    }
    this.#fixed(8)
    this.#length = this.#buffer.writeBigInt64BE(BigInt(value), this.#length)
  }

  float8(value: number | undefined): void {
    if (value === undefined) {
      this.null()
      return
    }
    this.#fixed(8)
    this.#length = this.#buffer.writeDoubleBE(value, this.#length)
  }

  /** A `timestamptz` from unix nanoseconds. PostgreSQL keeps microseconds: rounded down, so that order is kept. */
  timestamptz(unixNano: bigint): void {
    this.int8(floorDivide(unixNano, 1000n) - POSTGRES_EPOCH_MICROS)
  }

  text(value: string | undefined): void {
    if (value === undefined) {
      this.null()
      return
    }
    this.#reserve(4 + value.length * MAX_BYTES_PER_UNIT)
    const written = this.#buffer.write(value, this.#length + 4, 'utf8')
    this.#length = this.#buffer.writeInt32BE(written, this.#length) + written
  }

  /** A `jsonb` from JSON text: one version byte, then the text. */
  jsonb(json: string | undefined): void {
    if (json === undefined) {
      this.null()
      return
    }
    this.#reserve(5 + json.length * MAX_BYTES_PER_UNIT)
    const written = this.#buffer.write(json, this.#length + 5, 'utf8') + 1
    this.#length = this.#buffer.writeInt32BE(written, this.#length)
    this.#buffer[this.#length] = 1
    this.#length += written
  }

  /** A `uuid` or `bytea` from an even number of hex digits. */
  hex(value: string | undefined): void {
    if (value === undefined) {
      this.null()
      return
    }
    const bytes = value.length >> 1
    this.#reserve(4 + bytes)
    this.#length = this.#buffer.writeInt32BE(bytes, this.#length)
    this.#length += this.#buffer.write(value, this.#length, 'hex')
  }

  bytea(value: Uint8Array | undefined): void {
    if (value === undefined) {
      this.null()
      return
    }
    this.#reserve(4 + value.length)
    this.#length = this.#buffer.writeInt32BE(value.length, this.#length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  float8Array(values: readonly number[] | undefined): void {
    if (values === undefined) {
      this.null()
      return
    }
    this.#arrayHeader(values.length, FLOAT8_OID)
    for (const value of values) this.float8(value)
  }

  int8Array(values: readonly bigint[] | undefined): void {
    if (values === undefined) {
      this.null()
      return
    }
    this.#arrayHeader(values.length, INT8_OID)
    for (const value of values) this.int8(value)
  }

  /** A `numeric` from plain decimal text such as `-12.0340`; its scale is kept. */
  numeric(decimal: string | undefined): void {
    if (decimal === undefined) {
      this.null()
      return
    }
    const negative = decimal.startsWith('-')
    const [whole = '', fraction = ''] = decimal.replace(/^[+-]/, '').split('.')
    const wholeGroups = Math.ceil(whole.length / 4)
    const fractionGroups = Math.ceil(fraction.length / 4)
    const digits = whole.padStart(wholeGroups * 4, '0') + fraction.padEnd(fractionGroups * 4, '0')
    const groups = wholeGroups + fractionGroups
    this.#fixed(8 + groups * 2)
    this.#length = this.#buffer.writeInt16BE(groups, this.#length)
    this.#length = this.#buffer.writeInt16BE(wholeGroups - 1, this.#length)
    this.#length = this.#buffer.writeInt16BE(negative ? 0x4000 : 0, this.#length)
    this.#length = this.#buffer.writeInt16BE(fraction.length, this.#length)
    for (let group = 0; group < groups; group += 1) {
      this.#length = this.#buffer.writeInt16BE(Number(digits.slice(group * 4, group * 4 + 4)), this.#length)
    }
  }

  /** One dimension with lower bound 1, no nulls; an empty array has no dimension. */
  #arrayHeader(elements: number, elementOid: number): void {
    const dimensions = elements === 0 ? 0 : 1
    this.#fixed(12 + dimensions * 8 + elements * 12)
    this.#length = this.#buffer.writeInt32BE(dimensions, this.#length)
    this.#length = this.#buffer.writeInt32BE(0, this.#length)
    this.#length = this.#buffer.writeInt32BE(elementOid, this.#length)
    if (dimensions === 0) return
    this.#length = this.#buffer.writeInt32BE(elements, this.#length)
    this.#length = this.#buffer.writeInt32BE(1, this.#length)
  }

  #fixed(bytes: number): void {
    this.#reserve(4 + bytes)
    this.#length = this.#buffer.writeInt32BE(bytes, this.#length)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#expectedBytes, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}
