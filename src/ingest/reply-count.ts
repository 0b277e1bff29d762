/**
 * Redis bounds a reply by entries, not by bytes. So few are asked for that this many bytes would come if all were as large as the
 * largest seen of late: a reply is larger only where entries become larger all at once, and has as many of them as were asked for even then.
 */
const REPLY_TARGET_BYTES = 2 * 1024 * 1024
/** How much the largest entry seen counts at the next reply: one of 1 MB among small ones is forgotten after some 20 replies. */
const LARGEST_DECAY = 0.8
/** The first read asks for so few that entries of any usual size fit. */
const FIRST_COUNT = 16

/** How many entries to ask for. */
export class ReplyCount {
  readonly #maxCount: number
  #next = FIRST_COUNT
  #largestBytes = 1

  /** @param maxCount entries of a reply, at most. */
  constructor(maxCount: number) {
    this.#maxCount = maxCount
  }

  get next(): number {
    return this.#next
  }

  /** Learns from a reply. @param largestBytes of its largest entry. */
  learn(largestBytes: number): void {
    this.#largestBytes = Math.max(this.#largestBytes * LARGEST_DECAY, largestBytes)
    const fitting = Math.max(1, Math.floor(REPLY_TARGET_BYTES / this.#largestBytes))
    this.#next = Math.min(this.#maxCount, this.#next * 2, fitting)
  }
}
