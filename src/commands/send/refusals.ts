import type { Rejection, RejectionReason } from '../../models/rejection.ts'

/** A refused record of a file. */
export interface Refusal extends Rejection {
  readonly line: number
}

/** How many are shown one by one: the rest is likely more of the same. */
const MOST_SHOWN = 5

/** The refused records of a run: all counted by reason, the first few kept. */
export class Refusals {
  readonly #byReason = new Map<RejectionReason, number>()
  readonly first: Refusal[] = []

  add(line: number, { reason, detail }: Rejection): void {
    this.#byReason.set(reason, (this.#byReason.get(reason) ?? 0) + 1)
    if (this.first.length < MOST_SHOWN) this.first.push({ line, reason, detail })
  }

  get total(): number {
    let total = 0
    for (const count of this.#byReason.values()) total += count
    return total
  }

  get byReason(): Readonly<Partial<Record<RejectionReason, number>>> {
    return Object.fromEntries(this.#byReason)
  }
}
