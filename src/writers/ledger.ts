import type pg from 'pg'
import type { EntryId } from '../models/stream-entry.ts'
import type { IdRange } from './batch.ts'
import { type LedgerEntry, packEntries, unpackEntries } from './packed-entries.ts'

/** What one transaction is about to ingest. */
export interface LedgerClaim {
  readonly stream: string
  readonly ranges: readonly IdRange[]
  readonly entries: readonly LedgerEntry[]
  readonly rowCount: number
  readonly letterCount: number
}

/** A claim as it was entered, under which its rows may be written. */
export interface LedgerRow {
  readonly stream: string
  readonly fork: number
  readonly ids: string
}

export type ClaimOutcome =
  | { readonly kind: 'all'; readonly row: LedgerRow }
  /** `claimed` are the positions in `entries` that nobody had ingested; the others were ingested before. */
  | { readonly kind: 'some'; readonly row: LedgerRow | undefined; readonly claimed: ReadonlySet<number> }

/** Competitors may take fork after fork; each one that wins has committed, so this many in one transaction is no contention. */
const MAX_FORKS_TRIED = 16

/**
 * Enters a claim into the ledger, first thing in the transaction that writes its rows.
 *
 * The invariant: an entry is listed in at most one committed ledger row with the same crc, so its rows are there once. The exclusion
 * constraint makes a competitor with an overlapping range wait for our commit or rollback; `on conflict do nothing` then turns
 * the overlap into a look at what is listed instead of an error. An id that is covered by a range but not listed there, or listed
 * with another crc, belongs to another history of the stream (a fork after a failover, a stream deleted and refilled with explicit ids): it is new,
 * and goes to the next fork number free of overlap.
 */
export async function claimEntries(client: pg.ClientBase, claim: LedgerClaim): Promise<ClaimOutcome> {
  const row = { stream: claim.stream, fork: 0, ids: multirange(claim.ranges) }
  if (await insertRow(client, row, claim, claim.entries)) return { kind: 'all', row }

  for (let attempt = 0; attempt < MAX_FORKS_TRIED; attempt += 1) {
    const ingested = await listedEntries(client, row)
    const claimed = new Set<number>()
    claim.entries.forEach((entry, position) => {
      if (!ingested.has(listingKey(entry))) claimed.add(position)
    })
    if (claimed.size === 0) return { kind: 'some', row: undefined, claimed }

    const missing = claim.entries.filter((_, position) => claimed.has(position))
    const ids = multirange(missing.map(({ id }) => ({ first: id, last: id })))
    const point = { stream: claim.stream, fork: await freeFork(client, claim.stream, ids), ids }
    if (await insertRow(client, point, claim, missing)) return { kind: 'some', row: point, claimed }
  }
  throw new Error(`The ledger of stream ${claim.stream} stayed contended; the batch is tried again`)
}

/** Corrects the counts of a claim whose rows turned out otherwise, in the same transaction. */
export async function recount(
  client: pg.ClientBase,
  row: LedgerRow,
  counts: { readonly rowCount: number; readonly letterCount: number },
): Promise<void> {
  await client.query(
    `update ingest_ledger set row_count = $4, letter_count = $5
      where stream = $1 and fork = $2 and ids = $3::nummultirange`,
    [row.stream, row.fork, row.ids, counts.rowCount, counts.letterCount],
  )
}

async function insertRow(
  client: pg.ClientBase,
  row: LedgerRow,
  claim: LedgerClaim,
  entries: readonly LedgerEntry[],
): Promise<boolean> {
  const { rowCount } = await client.query({
    name: 'ledger-insert',
    text: `insert into ingest_ledger (stream, fork, ids, entry_count, row_count, letter_count, entries)
           values ($1, $2, $3::nummultirange, $4, $5, $6, $7)
           on conflict do nothing`,
    values: [
      row.stream,
      row.fork,
      row.ids,
      entries.length,
      claim.rowCount,
      claim.letterCount,
      packEntries(entries),
    ],
  })
  return rowCount === 1
}

/** Every entry that a committed row overlapping `row.ids` lists, in any fork, as listing keys. */
async function listedEntries(client: pg.ClientBase, row: LedgerRow): Promise<Set<string>> {
  const { rows } = await client.query<{ entries: Buffer }>(
    `select entries from ingest_ledger where stream = $1 and ids && $2::nummultirange`,
    [row.stream, row.ids],
  )
  return new Set(rows.flatMap(({ entries }) => unpackEntries(entries).map(listingKey)))
}

async function freeFork(client: pg.ClientBase, stream: string, ids: string): Promise<number> {
  const { rows } = await client.query<{ fork: number }>(
    `select coalesce(max(fork) + 1, 0) as fork from ingest_ledger where stream = $1 and ids && $2::nummultirange`,
    [stream, ids],
  )
  return rows[0]?.fork ?? 0
}

function listingKey({ id, crc }: LedgerEntry): string {
  return `${id.ms}-${id.seq}:${crc}`
}

/** Entry ids as the ledger's numbers: ms * 10^20 + seq, as text, since seq has at most 20 digits. */
function multirange(ranges: readonly IdRange[]): string {
  return `{${ranges.map(({ first, last }) => `[${ledgerNumber(first)},${ledgerNumber(last)}]`).join(',')}}`
}

function ledgerNumber({ ms, seq }: EntryId): string {
  return `${ms}${String(seq).padStart(20, '0')}`
}
