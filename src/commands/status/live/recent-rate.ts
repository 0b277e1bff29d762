interface Count {
  readonly count: number
  readonly atMs: number
}

/** PostgreSQL tells what a session has inserted up to a second late: over some looks that evens out. */
const LOOKS = 5

/** How fast a number that only grows has grown over the last few looks. */
export class RecentRate {
  readonly #counts: Count[] = []

  /**
   * @param count undefined when it is not known; smaller than before when it was set back: both begin anew.
   * @returns per second; undefined for the first look.
   */
  add(count: number | undefined, atMs: number): number | undefined {
    const last = this.#counts.at(-1)
    if (count === undefined || (last !== undefined && count < last.count)) this.#counts.length = 0
    if (count === undefined) return undefined
    this.#counts.push({ count, atMs })
    if (this.#counts.length > LOOKS) this.#counts.shift()
    const [first] = this.#counts
    if (first === undefined || first.atMs >= atMs) return undefined
    return ((count - first.count) * 1000) / (atMs - first.atMs)
  }
}
