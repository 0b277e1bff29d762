import { hash } from 'node:crypto'

const TWO_32 = 2 ** 32
/** 32 bits each, the highest first. */
const WORDS = 4

/**
 * A checksum of rows in any order: the sum of the first 128 bits of the SHA-256 of each, as COPY BINARY has it. That form does not depend on the settings of a session or the version
 * of the server, and is what a restored row is written by: equal sums are equal rows.
 */
export class ContentChecksum {
  rows = 0
  readonly #sum = new Array<number>(WORDS).fill(0)

  add(row: Buffer): void {
    this.rows += 1
    // In one call: an object for each would be memory that is only collected later.
    const digest = hash('sha256', row, 'buffer')
    let carry = 0
    for (let word = WORDS - 1; word >= 0; word -= 1) {
      const sum = (this.#sum[word] ?? 0) + digest.readUInt32BE(4 * word) + carry
      carry = sum >= TWO_32 ? 1 : 0
      this.#sum[word] = sum % TWO_32
    }
  }

  /** 32 hex digits. */
  digest(): string {
    return this.#sum.map((word) => word.toString(16).padStart(8, '0')).join('')
  }
}
