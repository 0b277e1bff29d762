import type { Effect, Fault } from './fault.ts'
import type { Oracle } from './oracle.ts'
import type { Statistics } from './statistics.ts'

/** What the strikes of one fault came to. */
export interface FaultTally {
  readonly fault: Fault
  /** Strikes that really hit their moment. */
  struck: number
  /** Those whose moment did not come. */
  missed: number
  readonly effects: Record<Effect | 'lost', number>
  readonly details: string[]
}

/** Counts strikes, and what the workers' counters and the proxies saw while each lasted. */
export class Tally {
  readonly #byFault: ReadonlyMap<Fault, FaultTally>
  readonly #statistics: Statistics
  readonly #oracle: Oracle

  constructor(faults: readonly Fault[], statistics: Statistics, oracle: Oracle) {
    this.#statistics = statistics
    this.#oracle = oracle
    this.#byFault = new Map(faults.map((fault) => [fault, emptyTally(fault)]))
  }

  get all(): readonly FaultTally[] {
    return [...this.#byFault.values()]
  }

  of(fault: Fault): FaultTally {
    return this.#byFault.get(fault) ?? emptyTally(fault)
  }

  /** Runs a strike and adds what changed meanwhile to the fault's effects. */
  async around<T>(fault: Fault, strike: () => Promise<T>): Promise<T> {
    const before = await this.#read()
    try {
      return await strike()
    } finally {
      const after = await this.#read()
      const { effects } = this.of(fault)
      for (const name of Object.keys(effects) as (keyof typeof effects)[])
        effects[name] += after[name] - before[name]
    }
  }

  async #read(): Promise<Record<Effect | 'lost', number>> {
    return { ...(await this.#statistics.scrape()), redelivered: this.#oracle.redelivered }
  }
}

function emptyTally(fault: Fault): FaultTally {
  const effects = { redelivered: 0, duplicates: 0, claimed: 0, retries: 0, redisErrors: 0, lost: 0 }
  return { fault, struck: 0, missed: 0, effects, details: [] }
}
