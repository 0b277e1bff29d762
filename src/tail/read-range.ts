import type { Redis } from 'ioredis'
import { ReplyCount } from '../ingest/reply-count.ts'
import { bytesOfFields, type StreamEntry } from '../ingest/stream-entries.ts'
import { type EntryId, formatEntryId, parseEntryId } from '../models/stream-entry.ts'

/** Entries as Redis answers with them. */
export type ReplyEntries = readonly (readonly [id: Buffer, fields: Buffer[] | null])[]

/** Entries of a reply; deleted ones are left out. */
export function entriesOf(reply: ReplyEntries): StreamEntry[] {
  const entries: StreamEntry[] = []
  let last: EntryId | undefined
  for (const [id, fields] of reply) {
    if (fields === null) continue
    last = parseEntryId(id.toString('latin1'), last)
    entries.push({ id: last, fields, bytes: bytesOfFields(fields) })
  }
  return entries
}

/** Entries of one reply, at most. */
const MAX_COUNT = 1000

/** The entries from one id to another, both inclusive, some at a time, the oldest first. */
export function readForwards(
  redis: Redis,
  stream: string,
  { from, to }: { readonly from: EntryId; readonly to: EntryId },
): AsyncGenerator<readonly StreamEntry[]> {
  const end = formatEntryId(to)
  return readInParts(formatEntryId(from), (start, count) =>
    redis.xrangeBuffer(stream, start, end, 'COUNT', count),
  )
}

/** The entries up to an id, inclusive, some at a time, the newest first. */
export function readBackwards(
  redis: Redis,
  stream: string,
  from: EntryId,
): AsyncGenerator<readonly StreamEntry[]> {
  return readInParts(formatEntryId(from), (start, count) =>
    redis.xrevrangeBuffer(stream, start, '-', 'COUNT', count),
  )
}

async function* readInParts(
  from: string,
  read: (start: string, count: number) => Promise<ReplyEntries>,
): AsyncGenerator<readonly StreamEntry[]> {
  const count = new ReplyCount(MAX_COUNT)
  for (let start = from; ; ) {
    const asked = count.next
    const entries = entriesOf(await read(start, asked))
    const last = entries.at(-1)
    if (last === undefined) return
    count.learn(Math.max(...entries.map(({ bytes }) => bytes)))
    yield entries
    start = `(${formatEntryId(last.id)}`
  }
}
