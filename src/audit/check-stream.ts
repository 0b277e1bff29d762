import type { Redis } from 'ioredis'
import type pg from 'pg'
import type { GroupOfStream } from '../ingest/consumer-group.ts'
import { ledgerNumber } from '../writers/ledger.ts'
import type { OnFailure } from './audit-failure.ts'
import { type EntryKey, formatKey, idOf, type KeyRange, keyOf } from './entry-key.ts'
import { readGroupProgress } from './group-progress.ts'
import { unpackListed } from './ledger-rows.ts'
import { type EntryInStream, readLastId, readStreamPages } from './stream-pages.ts'

/** What became of the entries that are in a stream. Each is counted in exactly one of the four below `entries`. */
export interface StreamCounts {
  readonly entries: number
  /** Listed in the ledger with the same content, acknowledged or not. */
  readonly committed: number
  readonly pending: number
  readonly unread: number
  readonly missing: number
}

export interface StreamCheckOptions extends GroupOfStream {
  readonly redis: Redis
  /** Not in a transaction: each look at the ledger must see what was committed before it. */
  readonly client: pg.ClientBase
  readonly range: KeyRange
  readonly stopping: AbortSignal
  readonly onFailure: OnFailure
  /** Told of the entries of each page. */
  readonly onEntries: (count: number) => void
}

type Fate = Exclude<keyof StreamCounts, 'entries'>

/**
 * Looks for entries that are in the stream, but neither in the ledger, nor pending, nor still to be read.
 *
 * Ingest goes on meanwhile. Of each page Redis is asked first and the ledger afterwards: an entry is acknowledged after its commit, so one
 * that Redis no longer has pending is in a ledger that is read later. What still seems to be missing is looked at once more, stream
 * included: it may have been trimmed, its ledger row pruned, or the group moved in between. Entries added after the start are left out.
 */
export async function checkStream(options: StreamCheckOptions): Promise<StreamCounts> {
  const { redis, stream, range, stopping, onFailure, onEntries } = options
  const counts = { entries: 0, committed: 0, pending: 0, unread: 0, missing: 0 }
  const lastId = await readLastId(redis, stream)
  if (lastId === undefined) return counts
  const to = lastId < range.to ? lastId : range.to
  if (range.from > to) return counts
  for await (const page of readStreamPages(redis, stream, { from: range.from, to })) {
    stopping.throwIfAborted()
    let fates = await findFates(options, page)
    const suspects = page.filter(({ key }) => fates.get(key)?.fate === 'missing')
    if (suspects.length > 0) fates = new Map([...fates, ...(await lookAgain(options, suspects))])
    for (const { fate, detail, key } of fates.values()) {
      if (fate === 'gone') continue
      counts.entries += 1
      counts[fate] += 1
      if (fate === 'missing')
        await onFailure({ kind: 'not_ingested', id: formatKey(key), lastId: null, detail })
    }
    onEntries(page.length)
  }
  return counts
}

interface FoundFate {
  readonly key: EntryKey
  /** Gone: no longer in the stream, as it was at the first look. */
  readonly fate: Fate | 'gone'
  readonly detail: string
}

async function findFates(
  { redis, client, stream, group }: StreamCheckOptions,
  entries: readonly EntryInStream[],
): Promise<ReadonlyMap<EntryKey, FoundFate>> {
  const [first, last] = [entries[0], entries.at(-1)]
  if (first === undefined || last === undefined) return new Map()
  const progress = await readGroupProgress(redis, { stream, group }, { from: first.key, to: last.key })
  const listed = await readListed(client, stream, entries)
  return new Map(
    entries.map(({ key, crc }) => {
      const crcs = listed.get(key)
      let fate: Fate = 'missing'
      if (crcs?.has(crc)) fate = 'committed'
      else if (progress.pending.has(key)) fate = 'pending'
      else if (key > progress.lastDelivered) fate = 'unread'
      const detail =
        crcs === undefined
          ? `${stream} has it, the group ${group} has read and acknowledged it, the ledger does not list it`
          : `${stream} has it, the ledger lists its id with other content only`
      return [key, { key, fate, detail }]
    }),
  )
}

/** The suspects as they are now. */
async function lookAgain(
  options: StreamCheckOptions,
  suspects: readonly EntryInStream[],
): Promise<ReadonlyMap<EntryKey, FoundFate>> {
  const again = new Map<EntryKey, FoundFate>()
  for (const { key } of suspects) again.set(key, { key, fate: 'gone', detail: '' })
  const [first, last] = [suspects[0], suspects.at(-1)]
  if (first === undefined || last === undefined) return again
  const part = { from: first.key, to: last.key }
  for await (const page of readStreamPages(options.redis, options.stream, part)) {
    const found = await findFates(
      options,
      page.filter(({ key }) => again.has(key)),
    )
    for (const [key, fate] of found) again.set(key, fate)
  }
  return again
}

/** The contents with which the ledger lists each of the entries, in any fork. */
async function readListed(
  client: pg.ClientBase,
  stream: string,
  entries: readonly EntryInStream[],
): Promise<ReadonlyMap<EntryKey, ReadonlySet<number>>> {
  const wanted = new Set(entries.map(({ key }) => key))
  const points = entries.map(({ key }) => ledgerNumber(idOf(key))).map((id) => `[${id},${id}]`)
  const { rows } = await client.query<{ entries: Buffer; entry_count: number }>(
    'select entries, entry_count from ingest_ledger where stream = $1 and ids && $2::nummultirange',
    [stream, `{${points.join(',')}}`],
  )
  const listed = new Map<EntryKey, Set<number>>()
  for (const row of rows) {
    for (const { id, crc } of unpackListed(row.entries, row.entry_count) ?? []) {
      const key = keyOf(id)
      if (!wanted.has(key)) continue
      const crcs = listed.get(key)
      if (crcs === undefined) listed.set(key, new Set([crc]))
      else crcs.add(crc)
    }
  }
  return listed
}
