import { isContentKey } from '../content-keys.ts'
import { isEvaluationKey } from '../evaluations/evaluations-of-span.ts'
import { isEventNameKey } from '../event-name.ts'
import { GEN_AI_SOURCES, type GenAiSource } from '../gen-ai-sources.ts'

/** A key of JSON objects, or a short text that comes again and again, and what is known of it. */
export interface JsonKey {
  readonly text: string
  /** As it stands between its quotes. */
  readonly bytes: Uint8Array
  readonly hash: number
  /** Which field of a record has this name; -1 for none. */
  readonly field: number
  /** The typed columns that an attribute of this name may fill. */
  readonly sources: readonly GenAiSource[] | undefined
  /** Whether an attribute of this name is the body of a prompt or a completion. */
  readonly isContent: boolean
  /** Whether an attribute of this name may tell an evaluation, or names the event that a log record is. */
  readonly mayTell: boolean
  /** The number of the last object that it was met in: so a repeated key is noticed. */
  lastObject: number
}

/** Programs have some hundred key names. A power of two. */
const SLOT_BITS = 12
const SLOTS = 1 << SLOT_BITS
/** A key stands in one of so many slots in a row: among a thousand names hardly ever nine want the same eight. */
const PROBES = 8
/** 2^32 over the golden ratio: names that differ in their last letter come to stand far apart. */
const GOLDEN = 0x9e3779b1
/** Longer keys are made anew each time. */
const MAX_KEY_BYTES = 256

/**
 * Remembers keys by their bytes: finding one makes no string. A key that finds its slots taken by others takes the place of one of them, so that it
 * is bounded whatever comes, and names made to collide cost a string each.
 */
export class JsonKeys {
  readonly #fields: ReadonlyMap<string, number>
  readonly #slots: (JsonKey | undefined)[] = new Array(SLOTS).fill(undefined)
  #forgotten = 0

  constructor(fields: readonly string[]) {
    this.#fields = new Map(fields.map((name, field) => [name, field]))
  }

  /** How often a key was not remembered, or forgotten for another: in between, `lastObject` can be relied on. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** @param hash of the bytes from `from` to before `to`, by {@link nextHash}. */
  find(bytes: Buffer, from: number, to: number, hash: number): JsonKey {
    const slots = this.#slots
    const first = Math.imul(hash, GOLDEN) >>> (32 - SLOT_BITS)
    for (let probe = 0; probe < PROBES; probe += 1) {
      const slot = (first + probe) & (SLOTS - 1)
      const key = slots[slot]
      if (key === undefined) return this.#remember(this.#create(bytes.subarray(from, to), hash), slot)
      if (key.hash === hash && isKey(key, bytes, from, to)) return key
    }
    this.#forgotten += 1
    return this.#remember(this.#create(bytes.subarray(from, to), hash), first)
  }

  #remember(key: JsonKey, slot: number): JsonKey {
    if (key.bytes.length > MAX_KEY_BYTES) this.#forgotten += 1
    else this.#slots[slot] = key
    return key
  }

  #create(bytes: Buffer, hash: number): JsonKey {
    const raw = bytes.toString('utf8')
    const text = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
    return {
      text,
      // A copy: the buffer that it came in is not to be held for its sake.
      bytes: Uint8Array.from(bytes),
      hash,
      field: this.#fields.get(text) ?? -1,
      sources: GEN_AI_SOURCES.get(text),
      isContent: isContentKey(text),
      mayTell: isEvaluationKey(text) || isEventNameKey(text),
      lastObject: 0,
    }
  }
}

function isKey(key: JsonKey, bytes: Uint8Array, from: number, to: number): boolean {
  const known = key.bytes
  if (known.length !== to - from) return false
  for (let index = 0; index < known.length; index += 1) {
    if (known[index] !== bytes[from + index]) return false
  }
  return true
}
