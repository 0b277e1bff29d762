/** What is kept is at most so many times as large as what was asked for: rows may take more than the JSON that they came as. */
const LARGEST = 2
const MIN_BYTES = 64 * 1024

/**
 * Memory for encoded rows that is used again. A few megabytes for each batch, made anew, are more than all else that V8 sees of a writer, and have it mark its whole heap every second.
 *
 * Bounded: at most `most` buffers are kept; of more, and of larger ones, the memory is given up.
 */
export class CopyBuffers {
  readonly #bytes: number
  readonly #most: number
  readonly #free: Buffer[] = []

  /** @param bytes size of each, roughly. @param most how many are kept; 0: none. */
  constructor(bytes: number, most: number) {
    this.#bytes = Math.max(MIN_BYTES, bytes)
    this.#most = most
  }

  /** A buffer of at least the size that was asked for, with anything in it: the one given back last, whose pages are warm. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes)
  }

  /** Nobody may read or write it any more, not even a socket. */
  giveBack(buffer: Buffer): void {
    const isOne = buffer.length >= this.#bytes && buffer.length <= LARGEST * this.#bytes
    if (isOne && this.#free.length < this.#most) this.#free.push(buffer)
  }
}
