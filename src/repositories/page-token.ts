import { createHash } from 'node:crypto'

/** Where a record stands among all others: its time, then the entry that it came in. */
export interface RecordPosition {
  /** All as PostgreSQL has them: bigints as decimal text. */
  readonly timeUnixNano: string
  readonly entryMs: string
  readonly entrySeq: string
  readonly recordIndex: number
}

const INTEGER = /^-?\d{1,19}$/
const FINGERPRINT_BYTES = 9

/**
 * A page's end as one word for its reader, who makes nothing of it.
 *
 * @param query what the page is of: a token is of use for the same query only.
 */
export function writePageToken(position: RecordPosition, query: unknown): string {
  const { timeUnixNano, entryMs, entrySeq, recordIndex } = position
  const parts = [fingerprint(query), timeUnixNano, entryMs, entrySeq, recordIndex]
  return Buffer.from(parts.join('.')).toString('base64url')
}

/** What {@link writePageToken} made, `foreign` for one of another query, undefined for what is none. */
export function readPageToken(token: string, query: unknown): RecordPosition | 'foreign' | undefined {
  if (!/^[\w-]{1,256}$/.test(token)) return undefined
  const parts = Buffer.from(token, 'base64url').toString('latin1').split('.')
  const [of, timeUnixNano = '', entryMs = '', entrySeq = '', recordIndex = ''] = parts
  const integers = [timeUnixNano, entryMs, entrySeq, recordIndex]
  const isWhole = parts.length === 5 && integers.every((part) => INTEGER.test(part) && fitsInt64(part))
  if (!isWhole || !Number.isInteger(Number(recordIndex)) || Math.abs(Number(recordIndex)) >= 2 ** 31)
    return undefined
  return of === fingerprint(query)
    ? { timeUnixNano, entryMs, entrySeq, recordIndex: Number(recordIndex) }
    : 'foreign'
}

function fitsInt64(text: string): boolean {
  const value = BigInt(text)
  return BigInt.asIntN(64, value) === value
}

function fingerprint(query: unknown): string {
  const text = JSON.stringify(query, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  return createHash('sha256').update(text).digest('base64url').slice(0, FINGERPRINT_BYTES)
}
