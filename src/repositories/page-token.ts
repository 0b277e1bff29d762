import { createHash } from 'node:crypto'

/** Where a record stands among all others: its time, then the entry that it came in. */
export interface RecordPosition {
  /** All as PostgreSQL has them: bigints as decimal text. */
  readonly timeUnixNano: string
  readonly entryMs: string
  readonly entrySeq: string
  readonly recordIndex: number
}

/** Where a trace stands among those that match: by its newest span that does, then by its id. */
export interface TracePosition {
  readonly newestUnixNano: string
  /** 32 hex digits. */
  readonly traceId: string
}

const INTEGER = /^-?\d{1,19}$/
const TRACE_ID = /^[0-9a-f]{32}$/
const FINGERPRINT_BYTES = 9

/**
 * A page's end as one word for its reader, who makes nothing of it.
 *
 * @param query what the page is of: a token is of use for the same query only.
 */
export function writePageToken(position: RecordPosition, query: unknown): string {
  const { timeUnixNano, entryMs, entrySeq, recordIndex } = position
  return write([timeUnixNano, entryMs, entrySeq, recordIndex], query)
}

/** What {@link writePageToken} made, `foreign` for one of another query, undefined for what is none. */
export function readPageToken(token: string, query: unknown): RecordPosition | 'foreign' | undefined {
  const { parts, isForeign } = read(token, query)
  const [timeUnixNano = '', entryMs = '', entrySeq = '', recordIndex = ''] = parts
  const integers = [timeUnixNano, entryMs, entrySeq, recordIndex]
  const isWhole = parts.length === 4 && integers.every(isInt64) && Math.abs(Number(recordIndex)) < 2 ** 31
  if (!isWhole) return undefined
  return isForeign ? 'foreign' : { timeUnixNano, entryMs, entrySeq, recordIndex: Number(recordIndex) }
}

/** The same of a page of traces. */
export function writeTraceToken({ newestUnixNano, traceId }: TracePosition, query: unknown): string {
  return write([newestUnixNano, traceId], query)
}

/** What {@link writeTraceToken} made, as {@link readPageToken} says it. */
export function readTraceToken(token: string, query: unknown): TracePosition | 'foreign' | undefined {
  const { parts, isForeign } = read(token, query)
  const [newestUnixNano = '', traceId = ''] = parts
  if (parts.length !== 2 || !isInt64(newestUnixNano) || !TRACE_ID.test(traceId)) return undefined
  return isForeign ? 'foreign' : { newestUnixNano, traceId }
}

function write(parts: readonly (string | number)[], query: unknown): string {
  return Buffer.from([fingerprint(query), ...parts].join('.')).toString('base64url')
}

function read(
  token: string,
  query: unknown,
): { readonly parts: readonly string[]; readonly isForeign: boolean } {
  if (!/^[\w-]{1,256}$/.test(token)) return { parts: [], isForeign: false }
  const [of, ...parts] = Buffer.from(token, 'base64url').toString('latin1').split('.')
  return { parts, isForeign: of !== fingerprint(query) }
}

function isInt64(text: string): boolean {
  return INTEGER.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
}

function fingerprint(query: unknown): string {
  const text = JSON.stringify(query, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  return createHash('sha256').update(text).digest('base64url').slice(0, FINGERPRINT_BYTES)
}
