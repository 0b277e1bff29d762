import { type EntryId, formatEntryId, isBefore } from '../models/stream-entry.ts'

/** A record in its stream: its entry, and its place in it. */
export interface TailId {
  readonly entry: EntryId
  readonly index: number
}

const TAIL_ID = /^(\d{1,19})-(\d{1,20})-(\d{1,6})$/

/** Reads `ms-seq-index`; undefined for anything else. */
export function parseTailId(text: string): TailId | undefined {
  const [, ms, seq, index] = TAIL_ID.exec(text) ?? []
  if (ms === undefined || seq === undefined) return undefined
  return { entry: { ms: BigInt(ms), seq: BigInt(seq) }, index: Number(index) }
}

export function formatTailId({ entry, index }: TailId): string {
  return `${formatEntryId(entry)}-${index}`
}

/** Whether `a` comes before `b`. */
export function comesBefore(a: TailId, b: TailId): boolean {
  return isBefore(a.entry, b.entry) || (!isBefore(b.entry, a.entry) && a.index < b.index)
}
