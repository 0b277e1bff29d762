import type { Random } from '../../../src/demo/random.ts'
import { waitFor } from '../deadline.ts'
import type { Campaign, Fault } from '../fault.ts'
import type { Recipe } from '../mint.ts'
import { POISON_KINDS, POISONS, type PoisonKind } from '../poison.ts'

const ROWS_PER_ENTRY = 100
const POSITIONS = ['first', 'middle', 'last'] as const

/** Refused by the database at 100 %, so many rows are one or two batches: ten in a row would, rightly, stop ingest. */
const ALL_POISON_ENTRIES = 3

/** Rows of which one in `oneIn` is refused, one kind and one position a strike; the strikes go through all kinds. */
function poisonFault(name: string, { oneIn, entries }: { oneIn: number; entries: number }): Fault {
  let struck = 0
  let kinds: readonly PoisonKind[] = []
  return {
    name,
    causes: [],
    async strike(campaign) {
      if (struck % POISON_KINDS.length === 0) kinds = shuffled(POISON_KINDS, campaign.random)
      const poison = kinds[struck % kinds.length] ?? 'notJson'
      const position = POSITIONS[struck % POSITIONS.length] ?? 'first'
      struck += 1
      const recipes = Array.from({ length: entries }, (_, entry): Recipe => {
        const poisoned = poisonedRows({ oneIn, entries, entry, position, whole: refusesEntries(poison) })
        return { kind: 'burst', rows: ROWS_PER_ENTRY, poison, poisoned }
      })
      const numbers = await campaign.load.burst(recipes)
      await campaign.settle()
      const letters = await countLetters(campaign, numbers)
      return `${poison} ${position}: ${letters} letters`
    },
  }
}

function poisonedRows(at: {
  readonly oneIn: number
  readonly entries: number
  readonly entry: number
  readonly position: (typeof POSITIONS)[number]
  /** Whether the whole entry is refused: then it is what is counted. */
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

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

function refusesEntries(poison: PoisonKind): boolean {
  return POISONS[poison].spoilEntry !== undefined
}

export const POISON_FAULTS = [
  poisonFault('poison in 0.001 % of rows', { oneIn: 100_000, entries: 1000 }),
  poisonFault('poison in 1 % of rows', { oneIn: 100, entries: 100 }),
  poisonFault('poison in 100 % of rows', { oneIn: 1, entries: ALL_POISON_ENTRIES }),
] as const
