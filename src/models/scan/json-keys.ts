import { isContentKey } from '../content-keys.ts'
import { GEN_AI_SOURCES, type GenAiSource } from '../gen-ai-sources.ts'

/** A key of JSON objects, or a short text that comes again and again, and what is known of it. */
export interface JsonKey {
  readonly text: string
  /** As it stands between its quotes. */
  readonly bytes: Uint8Array
  /** Which field of a record has this name; -1 for none. */
  readonly field: number
  /** The typed column that an attribute of this name may fill. */
  readonly source: GenAiSource | undefined
  /** Whether an attribute of this name is the body of a prompt or a completion. */
  readonly isContent: boolean
  /** The number of the last object that it was met in: so a repeated key is noticed. */
  lastObject: number
}

/** Programs have few key names. A power of two. */
const SLOTS = 4096
/** Longer keys are made anew each time. */
const MAX_KEY_BYTES = 256

/**
 * Remembers keys by their bytes: finding one makes no string. A key has two slots; a third one of the same slots takes the place of one of them, so that it
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
    const slot = (hash ^ (hash >>> 12)) & (SLOTS - 1)
    const first = this.#slots[slot]
    if (first !== undefined && isKey(first, bytes, from, to)) return first
    const second = this.#slots[slot ^ 1]
    if (second !== undefined && isKey(second, bytes, from, to)) return second
    const key = this.#create(bytes.subarray(from, to))
    if (to - from > MAX_KEY_BYTES) this.#forgotten += 1
    else if (first === undefined || second !== undefined) {
      if (first !== undefined) this.#forgotten += 1
      this.#slots[slot] = key
    } else this.#slots[slot ^ 1] = key
    return key
  }

  #create(bytes: Buffer): JsonKey {
    const raw = bytes.toString('utf8')
    const text = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
    return {
      text,
      // A copy: the buffer that it came in is not to be held for its sake.
      bytes: Uint8Array.from(bytes),
      field: this.#fields.get(text) ?? -1,
      source: GEN_AI_SOURCES.get(text),
      isContent: isContentKey(text),
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
