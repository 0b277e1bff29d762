import { setTimeout as sleep } from 'node:timers/promises'

/** What becomes of the message that a trap caught: passed on, or held for ever as a network would that drops packets, both ways. */
export type Verdict = 'pass' | 'hole' | 'drop'

interface Trap<T> {
  readonly matches: (moment: T) => boolean
  readonly spring: (moment: T) => Promise<Verdict>
}

/** Thrown when the moment a fault waits for did not come: nothing was struck. */
export class MomentMissed extends Error {}

/** Waits for moments that proxies see pass by, and acts at that very message: it is passed on only afterwards, if at all. */
export class Traps<T> {
  readonly #set = new Set<Trap<T>>()

  /** Called by a proxy for every message. */
  async meet(moment: T): Promise<Verdict> {
    for (const trap of this.#set) {
      if (!trap.matches(moment)) continue
      this.#set.delete(trap)
      return trap.spring(moment)
    }
    return 'pass'
  }

  /**
   * Acts at the first moment that matches, once.
   *
   * @throws MomentMissed when none came within `timeoutMs`; what `act` throws.
   */
  async spring(
    matches: (moment: T) => boolean,
    act: (moment: T) => Promise<Verdict>,
    timeoutMs = 20_000,
  ): Promise<T> {
    const patience = new AbortController()
    try {
      return await new Promise<T>((resolve, reject) => {
        const spring = async (moment: T): Promise<Verdict> => {
          try {
            const verdict = await act(moment)
            resolve(moment)
            return verdict
          } catch (error) {
            reject(error)
            return 'pass'
          }
        }
        const trap = { matches, spring }
        this.#set.add(trap)
        sleep(timeoutMs, undefined, { signal: patience.signal }).then(
          () => {
            // One that has sprung settles by what it does.
            if (this.#set.delete(trap)) reject(new MomentMissed(`The moment did not come in ${timeoutMs} ms`))
          },
          () => undefined,
        )
      })
    } finally {
      patience.abort()
    }
  }
}
