import type { Redis } from 'ioredis'
import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import { type EntryId, formatEntryId, isBefore, parseEntryId } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { ErasureContext } from '../retention/erasure/erasure-context.ts'
import { NamedInBytes, traceIdsIn } from '../retention/erasure/named-in-bytes.ts'
import type { ErasedEntries } from '../retention/erasure/run-erasure.ts'
import type { GroupOfStream } from './consumer-group.ts'
import { ReplyCount } from './reply-count.ts'
import { bytesOfFields } from './stream-entries.ts'
import { LUA_BEFORE, LUA_NAMED } from './stream-lua.ts'
import { xinfo } from './xinfo.ts'

/** A stream as it was when the erasure began. */
export interface BoundedStream extends GroupOfStream {
  readonly signal: TelemetrySignal
  /** What comes after it is not looked at. */
  readonly lastId: EntryId
  /** Entries up to it were ingested before anything was looked for: what they held is found. */
  readonly ingestedId: EntryId
}

const POLL_MS = 250

/**
 * The streams that are there, as they are now. For some time it is waited until a service has ingested what is in them: then it is rows, and can be found.
 *
 * @param onWaiting told once where something waits to be ingested.
 */
export async function boundStreams(
  redis: Redis,
  streams: readonly (GroupOfStream & { readonly signal: TelemetrySignal })[],
  {
    waitMs,
    signal,
    onWaiting,
  }: { readonly waitMs: number; readonly signal: AbortSignal; readonly onWaiting: () => void },
): Promise<readonly BoundedStream[]> {
  const giveUpAt = performance.now() + waitMs
  const bounds = new Map<string, EntryId>()
  for (let attempt = 1; ; attempt += 1) {
    const states: BoundedStream[] = []
    for (const each of streams) {
      const [fields] = await xinfo(redis, 'STREAM', each.stream)
      if (fields === undefined) continue
      const lastId = bounds.get(each.stream) ?? parseEntryId(String(fields.get('last-generated-id')))
      bounds.set(each.stream, lastId)
      states.push({ ...each, lastId, ingestedId: await ingestedUpTo(redis, each) })
    }
    const isIngested = states.every(({ lastId, ingestedId }) => !isBefore(ingestedId, lastId))
    if (isIngested || performance.now() >= giveUpAt) return states
    if (attempt === 1) onWaiting()
    await sleep(POLL_MS, signal)
  }
}

const NOTHING: EntryId = { ms: 0n, seq: 0n }

/** Whatever is not after it was read by the group, and acknowledged. */
async function ingestedUpTo(redis: Redis, { stream, group }: GroupOfStream): Promise<EntryId> {
  // Read before what is pending: an entry that is delivered in between is after it.
  const groups = await xinfo(redis, 'GROUPS', stream)
  const delivered = groups.find((each) => each.get('name') === group)?.get('last-delivered-id')
  if (delivered === undefined) return NOTHING
  const [[oldest] = []] = (await redis.xpending(stream, group, '-', '+', 1)) as [id: string][]
  const lastDelivered = parseEntryId(String(delivered))
  if (oldest === undefined) return lastDelivered
  const before = idBefore(parseEntryId(oldest))
  return isBefore(before, lastDelivered) ? before : lastDelivered
}

function idBefore({ ms, seq }: EntryId): EntryId {
  return seq > 0n ? { ms, seq: seq - 1n } : { ms: ms - 1n, seq: 2n ** 64n - 1n }
}

/** Whether every group has read an entry, and none has it pending. */
const IS_SETTLED = `${LUA_BEFORE}${LUA_NAMED}
local function settled(id)
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local group = named(fields)
    if before(group['last-delivered-id'], id) or #redis.call('XPENDING', KEYS[1], group.name, id, id, 1) > 0 then return false end
  end
  return true
end
`
/** Deletes those of the entries that are settled, in one step; with ARGV[1] = 'count' it only counts them. */
const DELETE_SETTLED = `${IS_SETTLED}
local count = 0
for i = 2, #ARGV do
  if settled(ARGV[i]) then
    if ARGV[1] == 'count' then count = count + 1 else count = count + redis.call('XDEL', KEYS[1], ARGV[i]) end
  end
end
return count`

/** Entries of one script. */
const CHUNK = 100
const MAX_COUNT = 1000

/**
 * Deletes entries that hold something of the person: of a marked record, of a marked trace, or with an id in it. Only those that were ingested before it was looked for what goes, and that
 * every group has read and acknowledged: an entry may hold records of others, too, and these are rows. The others are counted.
 */
export async function eraseEntries(
  redis: Redis,
  streams: readonly BoundedStream[],
  { client, person, signal, dryRun, onProgress }: ErasureContext,
): Promise<ErasedEntries> {
  const named = new NamedInBytes(person)
  let erased = 0
  let left = 0
  for (const bounded of streams) {
    const { stream, lastId, ingestedId } = bounded
    const end = formatEntryId(lastId)
    const count = new ReplyCount(MAX_COUNT)
    let looked = 0
    for (let start = '-'; ; ) {
      signal.throwIfAborted()
      const reply = await redis.xrangeBuffer(stream, start, end, 'COUNT', count.next)
      const last = reply.at(-1)
      if (last === undefined) break
      count.learn(Math.max(...reply.map(([, fields]) => bytesOfFields(fields))))
      start = `(${last[0].toString('latin1')}`
      const entries = reply.map(([id, fields]) => ({ id: id.toString('latin1'), fields }))
      const going = await goingOf(client, named, bounded, entries)
      const ingested = going.filter((id) => !isBefore(ingestedId, id)).map(formatEntryId)
      left += going.length
      for (let from = 0; from < ingested.length; from += CHUNK) {
        const ids = ingested.slice(from, from + CHUNK)
        const settled = Number(
          await redis.eval(DELETE_SETTLED, 1, stream, dryRun ? 'count' : 'delete', ...ids),
        )
        erased += settled
        left -= settled
      }
      looked += reply.length
      onProgress({ step: 'erasing', what: stream, rows: looked })
    }
  }
  return { erased, left }
}

interface LookedAtEntry {
  readonly id: string
  readonly fields: readonly Buffer[]
}

async function goingOf(
  client: pg.ClientBase,
  named: NamedInBytes,
  { signal }: BoundedStream,
  entries: readonly LookedAtEntry[],
): Promise<readonly EntryId[]> {
  const parts = entries.map(({ id }) => parseEntryId(id))
  const { rows: marked } = await client.query<{ number: number }>(
    `select distinct number::int from unnest($2::bigint[], $3::bigint[]) with ordinality as e (ms, seq, number)
       join erasing_records g on g.signal = $1 and g.entry_ms = e.ms and g.entry_seq = e.seq`,
    [signal, parts.map(({ ms }) => signed(ms)), parts.map(({ seq }) => signed(seq))],
  )
  const going = new Set(marked.map(({ number }) => number - 1))
  const traces = new Map<string, number[]>()
  entries.forEach(({ fields }, index) => {
    if (going.has(index)) return
    if (fields.some((field) => named.isIn(field))) going.add(index)
    else for (const id of fields.flatMap(traceIdsIn)) traces.set(id, [...(traces.get(id) ?? []), index])
  })
  const { rows: ofTraces } = await client.query<{ trace: string }>(
    `select replace(trace_id::text, '-', '') as trace from erasing_traces where trace_id = any($1::uuid[])`,
    [[...traces.keys()]],
  )
  for (const { trace } of ofTraces) for (const index of traces.get(trace) ?? []) going.add(index)
  return parts.filter((_, index) => going.has(index))
}

/** As it is stored: the two's complement. */
function signed(part: bigint): string {
  return String(BigInt.asIntN(64, part))
}
