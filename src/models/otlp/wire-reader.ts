import { isUtf8 } from 'node:buffer'
import type { Rejection } from '../rejection.ts'

/** The wire types of protobuf that are still in use (protobuf.dev, "Encoding"). */
export const VARINT = 0
export const FIXED64 = 1
export const DELIMITED = 2
export const FIXED32 = 5

/** Containers inside one another that a reader follows: as many as {@link parseJson} does. */
const MAX_NESTING = 1000
/** Messages and values of one request: made to do harm, two bytes make an object of sixty. */
const MAX_VALUES = 1_000_000
const TWO_32 = 2 ** 32
const REPLACEMENT = '\uFFFD'

/**
 * Reads protobuf's wire format from a buffer. What is not well-formed is noted in `problem`, once, and puts the position behind every end, so that whoever reads
 * `while (reader.isInside)` stops by himself: what was made until then means nothing.
 */
export class WireReader {
  readonly bytes: Buffer
  problem: Rejection | undefined
  /** Texts that were no UTF-8: U+FFFD stands where they were not. */
  cleaned = 0
  /** Whether a text holds NUL, which PostgreSQL does not take. */
  hasNul = false
  #at = 0
  /** Where the message ends that is read now. */
  #end: number
  #depth = 0
  #values = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.#end = bytes.length
  }

  /** Whether the message has more fields. */
  get isInside(): boolean {
    return this.#at < this.#end
  }

  get position(): number {
    return this.#at
  }

  /** To be set inside of the message that is read now. After a problem it stays behind every end. */
  set position(at: number) {
    if (this.problem === undefined) this.#at = at
  }

  /** Notes what is wrong; the first problem stands. */
  fail(rejection: Rejection = MALFORMED): undefined {
    this.problem ??= rejection
    this.#at = Number.POSITIVE_INFINITY
    return undefined
  }

  /** Begins a message that is a field. @returns what {@link leave} wants. */
  enter(): number {
    const outer = this.#end
    const length = this.#length()
    const end = this.#at + length
    if (end > outer) this.fail()
    this.#depth += 1
    this.#values += 1
    if (this.#depth > MAX_NESTING) this.fail(TOO_DEEP)
    if (this.#values > MAX_VALUES) this.fail(TOO_MANY)
    this.#end = end
    return outer
  }

  leave(outer: number): void {
    if (this.#at !== this.#end) this.fail()
    this.#depth -= 1
    this.#end = outer
  }

  /** A varint whose upper bits are left out, as protobuf's own parsers do: tags, lengths, uint32. */
  uint32(): number {
    const value = this.int64()
    return typeof value === 'number' ? value >>> 0 : Number(BigInt.asUintN(32, value))
  }

  /** An int64: a number where a double holds it exactly, else a bigint. */
  int64(): number | bigint {
    const { bytes } = this
    const first = this.#at < this.#end ? (bytes[this.#at] as number) : LONG
    if (first < LONG) {
      this.#at += 1
      return first
    }
    let low = 0
    let high = 0
    let at = this.#at
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = at < this.#end ? (bytes[at] as number) : -1
      if (byte < 0) break
      at += 1
      if (shift < 28) low |= (byte & LOW_BITS) << shift
      else if (shift === 28) {
        low |= (byte & LOW_BITS) << 28
        high = (byte & LOW_BITS) >> 4
      } else high |= (byte & LOW_BITS) << (shift - 32)
      if (byte < LONG) {
        this.#at = at
        return high === 0 ? low >>> 0 : signed(low, high)
      }
    }
    this.fail()
    return 0
  }

  uint64(): number | bigint {
    const value = this.int64()
    return value < 0 ? BigInt.asUintN(64, BigInt(value)) : value
  }

  /** A zigzag int32. */
  sint32(): number {
    const value = this.uint32()
    return (value >>> 1) ^ -(value & 1)
  }

  bool(): boolean {
    return this.int64() !== 0
  }

  fixed32(): number {
    const at = this.#take(4)
    return this.problem === undefined ? this.bytes.readUInt32LE(at) : 0
  }

  fixed64(): bigint {
    const at = this.#take(8)
    return this.problem === undefined ? this.bytes.readBigUInt64LE(at) : 0n
  }

  sfixed64(): number | bigint {
    const value = BigInt.asIntN(64, this.fixed64())
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }

  double(): number {
    const at = this.#take(8)
    return this.problem === undefined ? this.bytes.readDoubleLE(at) : 0
  }

  text(): string {
    const length = this.#length()
    const from = this.#take(length)
    if (this.problem !== undefined) return ''
    const text = this.bytes.toString('utf8', from, from + length)
    if (text.includes('\0')) this.hasNul = true
    if (text.includes(REPLACEMENT) && !isUtf8(this.bytes.subarray(from, from + length))) this.cleaned += 1
    return text
  }

  encodedBytes(encoding: 'hex' | 'base64'): string {
    const length = this.#length()
    const from = this.#take(length)
    return this.problem === undefined ? this.bytes.toString(encoding, from, from + length) : ''
  }

  /** Passes over a field that is not known. */
  skip(wireType: number): void {
    switch (wireType) {
      case VARINT:
        this.int64()
        return
      case FIXED64:
        this.#take(8)
        return
      case DELIMITED:
        this.#take(this.#length())
        return
      case FIXED32:
        this.#take(4)
        return
      default:
        // Groups, which proto3 does not have, and what is no wire type.
        this.fail()
    }
  }

  /** Of what is delimited. One that is longer than all there is is no length. */
  #length(): number {
    const length = this.int64()
    if (typeof length === 'number' && length >= 0 && length <= this.bytes.length) return length
    this.fail()
    return 0
  }

  /** @returns where so many bytes begin. */
  #take(length: number): number {
    const from = this.#at
    if (from + length > this.#end) this.fail()
    else this.#at = from + length
    return from
  }
}

const LONG = 0x80
const LOW_BITS = 0x7f

const MALFORMED: Rejection = {
  reason: 'not_protobuf',
  detail: 'the bytes are no well-formed protobuf message',
}
const TOO_DEEP: Rejection = {
  reason: 'too_deep',
  detail: `the message nests deeper than ${MAX_NESTING} levels`,
}
const TOO_MANY: Rejection = { reason: 'too_large', detail: `the message has more than ${MAX_VALUES} values` }

function signed(low: number, high: number): number | bigint {
  const value = high * TWO_32 + (low >>> 0)
  return Number.isSafeInteger(value) ? value : BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low >>> 0))
}
