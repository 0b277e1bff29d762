import type { Redis } from 'ioredis'
import { xinfo } from '../ingest/xinfo.ts'
import { type EntryId, parseEntryId } from '../models/stream-entry.ts'

/** How a stream is. */
export interface StreamLook {
  readonly lastId: EntryId
  /** Undefined when it is empty. */
  readonly firstId: EntryId | undefined
  readonly length: number
  /** Entries that were ever added. */
  readonly added: number
}

const NEVER: StreamLook = { lastId: { ms: 0n, seq: 0n }, firstId: undefined, length: 0, added: 0 }

/** Looks at a stream; one that is not there is as one that never had an entry. */
export async function lookAtStream(redis: Redis, stream: string): Promise<StreamLook> {
  const [fields] = await xinfo(redis, 'STREAM', stream)
  if (fields === undefined) return NEVER
  const first = fields.get('first-entry') as readonly [string, unknown] | null
  return {
    lastId: parseEntryId(String(fields.get('last-generated-id'))),
    firstId: first ? parseEntryId(first[0]) : undefined,
    length: Number(fields.get('length')),
    added: Number(fields.get('entries-added')),
  }
}
