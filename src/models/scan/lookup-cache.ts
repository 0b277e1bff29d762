import type { RecordSlots } from './record-slots.ts'

/** Characters of all texts together, past which everything is forgotten: it is made anew when it is met again. */
const MAX_CHARACTERS = 4_000_000
/** Longer texts are not remembered. */
const MAX_TEXT = 65_536
/** What is held beside the text. */
const TEXT_COST = 512
/** Of those met of late: a power of two. Each has at most so many bytes: 2 MiB in all. */
const SLOTS = 1024
const MAX_RECENT_BYTES = 2048

interface Known<T> {
  /** The JSON of each field. */
  readonly parts: readonly Uint8Array[]
  readonly value: T
}

/**
 * Remembers what was made of some fields of a record, by the JSON they were. Records of one program say the same there again and again: those of late are found
 * by comparing bytes, the others by their text.
 */
export class LookupCache<T> {
  readonly #fields: readonly number[]
  readonly #recent: (Known<T> | undefined)[] = new Array(SLOTS).fill(undefined)
  readonly #values = new Map<string, T>()
  #characters = 0

  constructor(fields: readonly number[]) {
    this.#fields = fields
  }

  /** What is known of the fields as they are in this record, or what `make` makes of them, which may be nothing. */
  find(slots: RecordSlots, make: () => T | undefined): T | undefined {
    const slot = slots.hashOf(this.#fields) & (SLOTS - 1)
    const recent = this.#recent[slot]
    if (recent !== undefined && slots.says(this.#fields, recent.parts)) return recent.value
    const value = this.#findByText(slots, make)
    if (value !== undefined) {
      const parts = slots.copyOf(this.#fields, MAX_RECENT_BYTES)
      if (parts !== undefined) this.#recent[slot] = { parts, value }
    }
    return value
  }

  #findByText(slots: RecordSlots, make: () => T | undefined): T | undefined {
    let text = ''
    // JSON has newlines between the parts of an object only: no two records of different values have one text.
    for (const field of this.#fields) text += `${slots.raw(field)}\n`
    const known = this.#values.get(text)
    if (known !== undefined) return known
    const made = make()
    if (made !== undefined && text.length <= MAX_TEXT) this.#remember(text, made)
    return made
  }

  #remember(text: string, value: T): void {
    if (this.#characters > MAX_CHARACTERS) {
      this.#values.clear()
      this.#characters = 0
    }
    // A copy of the text, which is part of all that its entry says.
    this.#values.set(Buffer.from(text, 'latin1').toString('latin1'), value)
    this.#characters += text.length + TEXT_COST
  }
}
