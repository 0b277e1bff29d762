/**
 * A bounded number of bytes, handed out first come, first served. Whoever finds no room waits, and nobody
 * overtakes: a big request is not starved by small ones.
 */
export class ByteBudget {
  readonly limit: number
  #used = 0
  #waiting: { bytes: number; admit: () => void; refuse: (error: Error) => void }[] = []

  /** `limit` in bytes. A single request must not exceed it. */
  constructor(limit: number) {
    this.limit = limit
  }

  get used(): number {
    return this.#used
  }

  /** Takes the bytes if there is room and nobody waits for it. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#used + bytes > this.limit) return false
    this.#used += bytes
    return true
  }

  /** Takes the bytes when it is this caller's turn and there is room. Rejects if {@link refuseWaiting} comes first. */
  take(bytes: number): Promise<void> {
    if (this.tryTake(bytes)) return Promise.resolve()
    return new Promise((admit, refuse) => {
      this.#waiting.push({ bytes, admit, refuse })
    })
  }

  giveBack(bytes: number): void {
    this.#used -= bytes
    let admitted = 0
    for (const { bytes: wanted, admit } of this.#waiting) {
      if (this.#used + wanted > this.limit) break
      this.#used += wanted
      admitted++
      admit()
    }
    this.#waiting = this.#waiting.slice(admitted)
  }

  refuseWaiting(error: Error): void {
    const refused = this.#waiting
    this.#waiting = []
    for (const { refuse } of refused) refuse(error)
  }
}
