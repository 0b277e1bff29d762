import type { EntryId } from '../models/stream-entry.ts'

/** What the ledger keeps of an entry: its id and the crc32 of its fields. */
export interface LedgerEntry {
  readonly id: EntryId
  readonly crc: number
}

/**
 * The packed list of one ledger row, whatever order the entries come in. For each, in ascending order of id:
 * unsigned LEB128 of `ms - previous ms`, unsigned LEB128 of `seq` (minus the previous one where ms is the same),
 * then the crc32 as four bytes, little-endian. Seven bytes for a typical entry.
 */
export function packEntries(entries: readonly LedgerEntry[]): Buffer {
  // Two varints of at most ten bytes each, and the crc.
  const buffer = Buffer.allocUnsafe(entries.length * 24)
  let offset = 0
  let previous: EntryId = { ms: 0n, seq: 0n }
  for (const { id, crc } of ascending(entries)) {
    const ms = id.ms - previous.ms
    offset = writeVarint(buffer, offset, ms)
    offset = writeVarint(buffer, offset, ms === 0n ? id.seq - previous.seq : id.seq)
    offset = buffer.writeUInt32LE(crc, offset)
    previous = id
  }
  return buffer.subarray(0, offset)
}

/** Reads back what {@link packEntries} wrote. */
export function unpackEntries(packed: Buffer): LedgerEntry[] {
  const entries: LedgerEntry[] = []
  const cursor = { offset: 0 }
  let previous: EntryId = { ms: 0n, seq: 0n }
  while (cursor.offset < packed.length) {
    const ms = readVarint(packed, cursor)
    const seq = readVarint(packed, cursor)
    const id: EntryId = { ms: previous.ms + ms, seq: ms === 0n ? previous.seq + seq : seq }
    const crc = packed.readUInt32LE(cursor.offset)
    cursor.offset += 4
    entries.push({ id, crc })
    previous = id
  }
  return entries
}

/** Entries of several reads need not be in order; those of one are, and are not copied. */
function ascending(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const inOrder = entries.every(({ id }, index) => {
    const before = entries[index - 1]
    return before === undefined || compareIds(before.id, id) <= 0
  })
  return inOrder ? entries : [...entries].sort((a, b) => compareIds(a.id, b.id))
}

function compareIds(a: EntryId, b: EntryId): number {
  const difference = a.ms === b.ms ? a.seq - b.seq : a.ms - b.ms
  return difference < 0n ? -1 : Number(difference > 0n)
}

function writeVarint(buffer: Buffer, start: number, value: bigint): number {
  let offset = start
  let rest = value
  // Small numbers, which nearly all are, leave BigInt behind at once.
  while (rest > 0xfffffffn) {
    buffer[offset++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  let small = Number(rest)
  while (small > 0x7f) {
    buffer[offset++] = (small & 0x7f) | 0x80
    small >>>= 7
  }
  buffer[offset++] = small
  return offset
}

function readVarint(buffer: Buffer, cursor: { offset: number }): bigint {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = buffer.readUInt8(cursor.offset++)
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return value
  }
}
