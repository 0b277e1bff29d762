import type { Redis } from 'ioredis'
import { fieldsCrc } from '../ingest/decode-entry.ts'
import { bytesOfFields } from '../ingest/stream-entries.ts'
import { xinfo } from '../ingest/xinfo.ts'
import { parseEntryId } from '../models/stream-entry.ts'
import { type EntryKey, formatKey, type KeyRange, keyOf } from './entry-key.ts'

/** An entry as the ledger knows it. */
export interface EntryInStream {
  readonly key: EntryKey
  readonly crc: number
}

/** Redis bounds a reply by entries: so few are asked for that this many bytes come if all are as large as the largest seen of late. */
const REPLY_TARGET_BYTES = 2 * 1024 * 1024
const LARGEST_DECAY = 0.8
const FIRST_COUNT = 16
const MAX_COUNT = 1000

/** The entries of a part of a stream, a page at a time, oldest first. None when there is no such stream. */
export async function* readStreamPages(
  redis: Redis,
  stream: string,
  { from, to }: KeyRange,
): AsyncGenerator<readonly EntryInStream[]> {
  let count = FIRST_COUNT
  let largest = 1
  for (let start = formatKey(from); ; ) {
    const reply = await redis.xrangeBuffer(stream, start, formatKey(to), 'COUNT', count)
    const last = reply.at(-1)
    if (last === undefined) return
    largest *= LARGEST_DECAY
    for (const [, fields] of reply) largest = Math.max(largest, bytesOfFields(fields))
    yield reply.map(([id, fields]) => ({
      key: keyOf(parseEntryId(id.toString('latin1'))),
      crc: fieldsCrc(fields),
    }))
    start = `(${last[0].toString('latin1')}`
    count = Math.min(MAX_COUNT, count * 2, Math.max(1, Math.floor(REPLY_TARGET_BYTES / largest)))
  }
}

/** The id of the newest entry that was ever added; undefined when there is no such stream. */
export async function readLastId(redis: Redis, stream: string): Promise<EntryKey | undefined> {
  const [fields] = await xinfo(redis, 'STREAM', stream)
  return fields && keyOf(parseEntryId(String(fields.get('last-generated-id'))))
}
