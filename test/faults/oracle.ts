import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { type MintedEntry, mint, type Recipe } from './mint.ts'

/**
 * What became of an XADD. *sent* → *accepted* (Redis answered with an id) | *refused* (Redis answered with an error) | *unknown* (no
 * answer: it may or may not be in the stream, once).
 */
type Fate = 'sent' | 'accepted' | 'refused' | 'unknown'

interface Known {
  fate: Fate
  signal: TelemetrySignal
  id: string | undefined
  /** Redis lost it after it had accepted it, in a fault that may: the only ones that may be missing. */
  mayMiss: boolean
}

const PLAIN: Recipe = { kind: 'plain' }

/** Mints entries, each a function of seed and number, and knows what became of every one of them. It is never struck itself. */
export class Oracle {
  readonly seed: number
  readonly baseNano: bigint
  readonly #known: Known[] = []
  readonly #recipes = new Map<number, Recipe>()
  /** By signal and id. A worker may deliver and commit an entry before its XADD is answered here. */
  readonly #numbers = new Map<string, number>()
  readonly #delivered = new Set<string>()
  readonly #committed = new Set<string>()
  #firstOpen = 0
  /** Entries that were delivered to a worker again. */
  redelivered = 0

  constructor(seed: number, baseNano: bigint) {
    this.seed = seed
    this.baseNano = baseNano
  }

  /** How many entries were minted: their numbers are those below. */
  get size(): number {
    return this.#known.length
  }

  next(recipe: Recipe = PLAIN): { readonly number: number; readonly entry: MintedEntry } {
    const number = this.#known.length
    if (recipe !== PLAIN) this.#recipes.set(number, recipe)
    const entry = this.entry(number)
    this.#known.push({ fate: 'sent', signal: entry.signal, id: undefined, mayMiss: false })
    return { number, entry }
  }

  /** The entry of a number, minted again. */
  entry(number: number): MintedEntry {
    const { seed, baseNano } = this
    return mint({ seed, number, baseNano, recipe: this.#recipes.get(number) ?? PLAIN })
  }

  of(number: number): Readonly<Known> | undefined {
    return this.#known[number]
  }

  settleFate(number: number, fate: Exclude<Fate, 'sent'>, id?: string): void {
    const known = this.#at(number)
    known.fate = fate
    if (id !== undefined) this.setId(number, id)
  }

  /** Also for one that was not answered, once a row tells its id. */
  setId(number: number, id: string): void {
    const known = this.#at(number)
    known.id = id
    this.#numbers.set(`${known.signal} ${id}`, number)
  }

  numberOf(signal: TelemetrySignal, id: string): number | undefined {
    return this.#numbers.get(`${signal} ${id}`)
  }

  noteDelivered(signal: TelemetrySignal, id: string): void {
    const key = `${signal} ${id}`
    if (this.#delivered.has(key)) this.redelivered += 1
    this.#delivered.add(key)
  }

  /** A committed ledger row lists it. */
  noteCommitted(signal: TelemetrySignal, id: string): void {
    this.#committed.add(`${signal} ${id}`)
  }

  isCommitted(number: number): boolean {
    const { signal, id } = this.#at(number)
    return this.#committed.has(`${signal} ${id}`)
  }

  noteLostByRedis(number: number): void {
    this.#at(number).mayMiss = true
  }

  /** The numbers of accepted entries below `mark` that are neither committed nor lost by Redis. */
  open(mark = this.size): number[] {
    while (this.#firstOpen < mark && !this.#isOpen(this.#firstOpen)) this.#firstOpen += 1
    const open: number[] = []
    for (let number = this.#firstOpen; number < mark; number += 1) if (this.#isOpen(number)) open.push(number)
    return open
  }

  counts(): Readonly<Record<Fate, number>> {
    const counts = { sent: 0, accepted: 0, refused: 0, unknown: 0 }
    for (const { fate } of this.#known) counts[fate] += 1
    return counts
  }

  #isOpen(number: number): boolean {
    const { fate, mayMiss } = this.#at(number)
    return fate === 'sent' || (fate === 'accepted' && !mayMiss && !this.isCommitted(number))
  }

  #at(number: number): Known {
    const known = this.#known[number]
    if (known === undefined) throw new RangeError(`The oracle never minted number ${number}`)
    return known
  }
}

/** The signal of a stream name: what comes after the last colon. */
export function signalOf(stream: string): TelemetrySignal {
  const name = stream.slice(stream.lastIndexOf(':') + 1)
  const signal = TELEMETRY_SIGNALS.find((each) => each === name)
  if (signal === undefined) throw new RangeError(`No telemetry signal has the stream ${stream}`)
  return signal
}
