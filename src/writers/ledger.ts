import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import { type EntryId, isBefore } from '../models/stream-entry.ts'
import { queryWithin } from '../postgres-connection.ts'
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
  /** The positions in `entries` that nobody had ingested, with the row that lists each; the others were ingested before. */
  | { readonly kind: 'some'; readonly claimed: ReadonlyMap<number, LedgerRow> }
  /** Something of it was ingested before: to be claimed again, alone, in a new transaction. */
  | { readonly kind: 'overlap' }

/**
 * Enters a claim into the ledger, first thing in the transaction that writes its rows.
 *
 * The invariant: an entry is listed in at most one committed ledger row with the same crc, so its rows are there once. The exclusion
 * constraint makes a competitor with an overlapping range wait for our commit or rollback; `on conflict do nothing` then turns the
 * overlap into an outcome instead of an error.
 */
export async function claimEntries(client: pg.ClientBase, claim: LedgerClaim): Promise<ClaimOutcome> {
  const row = { stream: claim.stream, fork: 0, ids: multirange(claim.ranges) }
  if (hasRepeats(claim.entries)) return { kind: 'overlap' }
  // Shared: any number of batches at once, but none beside one that sorts out an overlap.
  const entered = await insertRow(client, row, { ...claim, lock: 'pg_advisory_xact_lock_shared' })
  return entered ? { kind: 'all', row } : { kind: 'overlap' }
}

/**
 * Enters what is left of a claim that overlaps earlier ones, in a transaction of its own that no other batch of the stream runs beside:
 * claims under different forks do not exclude one another, so only alone is what is listed all there is.
 *
 * An id that a range covers but does not list, or lists with another crc, belongs to another history of the stream (a fork after a failover,
 * a stream deleted and refilled with explicit ids): it is new. Each id goes to the lowest fork that does not cover it, so that an id which
 * any fork covers is covered by fork 0 too: that is the one which {@link claimEntries} tries. The rows are entered with counts of 0.
 */
export async function claimOverlapping(
  client: pg.ClientBase,
  claim: LedgerClaim,
): Promise<Exclude<ClaimOutcome, { kind: 'overlap' }>> {
  await client.query(`select pg_advisory_xact_lock(${STREAM_LOCK})`, [claim.stream])
  const ingested = await listedEntries((text, values) => client.query(text, [...values]), {
    stream: claim.stream,
    ids: multirange(claim.ranges),
  })
  const missing: number[] = []
  claim.entries.forEach((entry, position) => {
    const key = listingKey(entry)
    if (ingested.has(key)) return
    ingested.add(key)
    missing.push(position)
  })
  const claimed = new Map<number, LedgerRow>()
  for (const [fork, positions] of await groupByFreeFork(client, claim, missing)) {
    const entries = positions.flatMap((position) => claim.entries[position] ?? [])
    const ids = multirange(entries.map(({ id }) => ({ first: id, last: id })))
    const row = { stream: claim.stream, fork, ids }
    const counted = { entries, rowCount: 0, letterCount: 0 }
    if (!(await insertRow(client, row, { ...counted, lock: 'pg_advisory_xact_lock' }))) {
      throw new Error(`The ledger of stream ${claim.stream} changed under its lock`)
    }
    for (const position of positions) claimed.set(position, row)
  }
  return { kind: 'some', claimed }
}

/** How long {@link findListed} waits for batches that are under way, and how often it looks. */
const OPEN_BATCHES_MAX_MS = 2000
const OPEN_BATCHES_POLL_MS = 50
/** The server may be silent. */
const QUERY_MAX_MS = 10_000

export interface FindListedOptions {
  readonly stream: string
  readonly ids: readonly EntryId[]
  /** Default 2000. */
  readonly patienceMs?: number | undefined
}

/**
 * Which of the given ids any row of the stream lists, whatever the content that bore them. It waits for the batches of the stream that are under way
 * when it begins: one whose COMMIT is not answered yet may be what lists them. Others go on meanwhile.
 *
 * @returns undefined while one of them stays open for `patienceMs`: then nothing can be said yet.
 */
export async function findListed(
  pool: Pick<pg.ClientBase, 'query'>,
  { stream, ids, patienceMs = OPEN_BATCHES_MAX_MS }: FindListedOptions,
): Promise<ReadonlySet<string> | undefined> {
  const query = (text: string, values: readonly unknown[]) => queryWithin(pool, QUERY_MAX_MS, text, values)
  const deadline = performance.now() + patienceMs
  for (let open = await openBatches(query, stream); open.size > 0; ) {
    if (performance.now() >= deadline) return undefined
    await sleep(OPEN_BATCHES_POLL_MS)
    const now = await openBatches(query, stream)
    open = new Set([...open].filter((transaction) => now.has(transaction)))
  }
  const ranges = ids.map((id) => ({ first: id, last: id }))
  const listed = await listedEntries(query, { stream, ids: multirange(ranges) })
  return new Set([...listed].map((key) => key.slice(0, key.indexOf(':'))))
}

/** The transactions that hold the stream's advisory lock, as every batch does to its end. */
async function openBatches(
  query: (text: string, values: readonly unknown[]) => Promise<pg.QueryResult>,
  stream: string,
): Promise<ReadonlySet<string>> {
  const { rows } = await query(
    `select virtualtransaction from pg_locks, (select ${STREAM_LOCK} as key) as k
      where locktype = 'advisory' and granted and objsubid = 1
        and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32 | objid::bigint) = key`,
    [stream],
  )
  return new Set(rows.map((row) => String(row.virtualtransaction)))
}

/** The advisory lock of the stream `$1`. */
const STREAM_LOCK = `hashtextextended('observatory ledger of ' || $1, 0)`

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

/** Takes the stream's lock and inserts, in one round trip. @returns whether the row went in. */
async function insertRow(
  client: pg.ClientBase,
  row: LedgerRow,
  claim: Pick<LedgerClaim, 'entries' | 'rowCount' | 'letterCount'> & {
    readonly lock: 'pg_advisory_xact_lock' | 'pg_advisory_xact_lock_shared'
  },
): Promise<boolean> {
  const { rowCount } = await client.query({
    name: `ledger insert, ${claim.lock}`,
    text: `with locked as materialized (select ${claim.lock}(${STREAM_LOCK}))
           insert into ingest_ledger (stream, fork, ids, entry_count, row_count, letter_count, entries)
           select $1, $2, $3::nummultirange, $4, $5, $6, $7 from locked
           on conflict do nothing`,
    values: [
      row.stream,
      row.fork,
      row.ids,
      claim.entries.length,
      claim.rowCount,
      claim.letterCount,
      packEntries(claim.entries),
    ],
  })
  return rowCount === 1
}

/** Whether an entry is there twice. Those of one read ascend. */
function hasRepeats(entries: readonly LedgerEntry[]): boolean {
  const ascends = entries.every(({ id }, index) => {
    const before = entries[index - 1]?.id
    return before === undefined || isBefore(before, id)
  })
  return !ascends && new Set(entries.map(listingKey)).size < entries.length
}

/** Every entry that a committed row overlapping `row.ids` lists, in any fork, as listing keys. */
async function listedEntries(
  query: (text: string, values: readonly unknown[]) => Promise<pg.QueryResult<{ entries: Buffer }>>,
  row: Omit<LedgerRow, 'fork'>,
): Promise<Set<string>> {
  const { rows } = await query(
    `select entries from ingest_ledger where stream = $1 and ids && $2::nummultirange`,
    [row.stream, row.ids],
  )
  return new Set(rows.flatMap(({ entries }) => unpackEntries(entries).map(listingKey)))
}

/** The positions of entries by the lowest fork that does not cover them. Two histories of one id in one claim take a fork each. */
async function groupByFreeFork(
  client: pg.ClientBase,
  claim: LedgerClaim,
  positions: readonly number[],
): Promise<ReadonlyMap<number, number[]>> {
  const { rows } = await client.query<{ fork: number }>(
    `select coalesce(max(l.fork) + 1, 0) as fork
       from unnest($2::numeric[]) with ordinality as i (id, position)
       left join ingest_ledger l on l.stream = $1 and l.ids @> i.id
      group by i.position order by i.position`,
    [claim.stream, positions.map((position) => ledgerNumber(claim.entries[position]?.id ?? ZERO))],
  )
  const taken = new Set<string>()
  const byFork = new Map<number, number[]>()
  positions.forEach((position, index) => {
    const id = ledgerNumber(claim.entries[position]?.id ?? ZERO)
    let fork = rows[index]?.fork ?? 0
    while (taken.has(`${fork} ${id}`)) fork += 1
    taken.add(`${fork} ${id}`)
    const group = byFork.get(fork)
    if (group === undefined) byFork.set(fork, [position])
    else group.push(position)
  })
  return byFork
}

const ZERO: EntryId = { ms: 0n, seq: 0n }

function listingKey({ id, crc }: LedgerEntry): string {
  return `${id.ms}-${id.seq}:${crc}`
}

/** Entry ids as the ledger's numbers: ms * 10^20 + seq, as text, since seq has at most 20 digits. */
function multirange(ranges: readonly IdRange[]): string {
  return `{${ranges.map(({ first, last }) => `[${ledgerNumber(first)},${ledgerNumber(last)}]`).join(',')}}`
}

/** An entry id as the ledger's number, in decimal digits. */
export function ledgerNumber({ ms, seq }: EntryId): string {
  return `${ms}${String(seq).padStart(20, '0')}`
}
