/** Smaller bodies are kept in the pieces they come in, and put together at their end: one copy, of just the right size. */
const IN_PIECES_BYTES = 1024 * 1024
const GROWTH = 8

/**
 * Puts a body together while it comes. A large one is written into room for eight times as much, of which the system gives only the pages that are written: at its end
 * it is in memory once, and not also in pieces.
 */
export class BodyBuffer {
  readonly #maxBytes: number
  #pieces: Buffer[] = []
  #room: Buffer | undefined
  #length = 0

  /** No more than `maxBytes` may be added in all. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get length(): number {
    return this.#length
  }

  add(piece: Buffer): void {
    const length = this.#length + piece.length
    if (length > (this.#room?.length ?? IN_PIECES_BYTES)) this.#grow(length)
    if (this.#room === undefined) this.#pieces.push(piece)
    else piece.copy(this.#room, this.#length)
    this.#length = length
  }

  #grow(length: number): void {
    const room = Buffer.allocUnsafeSlow(Math.min(this.#maxBytes, GROWTH * length))
    let at = 0
    for (const piece of this.#room === undefined ? this.#pieces : [this.#room]) at += piece.copy(room, at)
    this.#room = room
    this.#pieces = []
  }

  /** Hands over all that was added, and keeps nothing of it. */
  take(): Buffer {
    const bytes = this.#room?.subarray(0, this.#length) ?? Buffer.concat(this.#pieces)
    this.#room = undefined
    this.#pieces = []
    this.#length = 0
    return bytes
  }
}
