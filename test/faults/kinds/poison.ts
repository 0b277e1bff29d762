import { waitFor } from '../deadline.ts'
import type { Campaign, Fault } from '../fault.ts'
import type { Recipe } from '../mint.ts'
import { POISON_KINDS, POISONS, type PoisonKind } from '../poison.ts'

const ROWS_PER_ENTRY = 100
const POSITIONS = ['first', 'middle', 'last'] as const
type Position = (typeof POSITIONS)[number]

/** Strikes of one seed: the next seed goes on with the kinds and positions that this one did not come to. */
const STRIKES_OF_A_SEED = 10
/** Refused by the database at 100 %, so many rows are one or two batches: ten in a row would, rightly, stop ingest. */
const ALL_POISON_ENTRIES = 3

interface Dose {
  readonly oneIn: number
  /** Entries of each kind, of a hundred rows. */
  readonly entries: number
  /** Whether a strike is of every kind of poison, or of one: then the strikes go through all kinds, first at the first row, and so on. */
  readonly ofEveryKind: boolean
}

/** Rows of which one in `oneIn` is refused, at one position a strike. */
function poisonFault(name: string, { oneIn, entries, ofEveryKind }: Dose): Fault {
  let struck = 0
  return {
    name,
    causes: [],
    async strike(campaign) {
      const number = campaign.oracle.seed * STRIKES_OF_A_SEED + struck
      struck += 1
      const kinds = ofEveryKind ? POISON_KINDS : POISON_KINDS.slice(number % POISON_KINDS.length).slice(0, 1)
      const round = ofEveryKind ? number : Math.floor(number / POISON_KINDS.length)
      const position = POSITIONS[round % POSITIONS.length] ?? 'first'
      const recipes = kinds.flatMap((poison) => recipesOf(poison, { oneIn, position, entries }))
      const numbers = await campaign.load.burst(recipes)
      await campaign.settle()
      const letters = await countLetters(campaign, numbers)
      return `${ofEveryKind ? 'all kinds' : kinds.join()} ${position}: ${letters} letters`
    },
  }
}

function recipesOf(
  poison: PoisonKind,
  { oneIn, entries, position }: Omit<Dose, 'ofEveryKind'> & { readonly position: Position },
): Recipe[] {
  // Where a whole entry is refused, entries are what is counted.
  const whole = POISONS[poison].spoilEntry !== undefined
  const count = whole && oneIn > 1 ? Math.max(entries, ROWS_PER_ENTRY) : entries
  return Array.from({ length: count }, (_, entry) => {
    const poisoned = poisonedRows({ oneIn, entries: count, entry, position, whole })
    return { kind: 'burst', rows: ROWS_PER_ENTRY, poison, poisoned }
  })
}

function poisonedRows(at: {
  readonly oneIn: number
  readonly entries: number
  readonly entry: number
  readonly position: Position
  readonly whole: boolean
}): number[] {
  const { oneIn, entries, entry, position, whole } = at
  if (oneIn === 1) return Array.from({ length: ROWS_PER_ENTRY }, (_, index) => index)
  const rowOf = (rows: number) => ({ first: 0, middle: Math.floor(rows / 2), last: rows - 1 })[position]
  if (whole) return rowOf(entries) === entry ? [0] : []
  if (oneIn === ROWS_PER_ENTRY) return [rowOf(ROWS_PER_ENTRY)]
  const row = rowOf(entries * ROWS_PER_ENTRY)
  return Math.floor(row / ROWS_PER_ENTRY) === entry ? [row % ROWS_PER_ENTRY] : []
}

/** The letters of these entries, once all that are expected are there. */
async function countLetters(campaign: Campaign, numbers: readonly number[]): Promise<number> {
  const { oracle, signal } = campaign
  const ids = numbers.flatMap((number) => {
    const known = oracle.of(number)
    const { size } = oracle.entry(number).expected.letters
    return known?.fate === 'accepted' && known.id !== undefined && size > 0 ? [{ id: known.id, size }] : []
  })
  const expected = ids.reduce((sum, { size }) => sum + size, 0)
  const count = async () => {
    const rows = await campaign.query<{ count: number }>(
      `select count(*)::int as count from dead_letters where entry_ms || '-' || entry_seq = any ($1)`,
      [ids.map(({ id }) => id)],
    )
    return rows[0]?.count === expected ? expected : undefined
  }
  return waitFor(count, { what: `${expected} dead letters being there`, timeoutMs: 10_000, signal })
}

export const POISON_FAULTS = [
  poisonFault('poison in 0.001 % of rows', { oneIn: 100_000, entries: 1000, ofEveryKind: false }),
  poisonFault('poison in 1 % of rows', { oneIn: 100, entries: 20, ofEveryKind: true }),
  poisonFault('poison in 100 % of rows', { oneIn: 1, entries: ALL_POISON_ENTRIES, ofEveryKind: true }),
] as const
