import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EntryId } from '../../../src/models/stream-entry.ts'
import { type LedgerEntry, packEntries, unpackEntries } from '../../../src/writers/packed-entries.ts'

const MAX_UINT64 = 2n ** 64n - 1n
const MAX_UINT32 = 2 ** 32 - 1

/** Values around every length that a varint can have, and the ends of the range. */
const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: MAX_UINT64 }),
  fc
    .tuple(fc.integer({ min: 0, max: 64 }), fc.bigInt({ min: -2n, max: 2n }))
    .map(([bits, near]) => 2n ** BigInt(bits) + near)
    .filter((value) => value >= 0n && value <= MAX_UINT64),
)
/** Times close to one another, as a stream has them, beside times of any kind. */
const milliseconds = fc.oneof(uint64, fc.bigInt({ min: 1_795_424_400_000n, max: 1_795_424_400_003n }))
const entryId = fc.record({ ms: milliseconds, seq: uint64 })
const crc32 = fc.oneof(fc.integer({ min: 0, max: MAX_UINT32 }), fc.constantFrom(0, 1, MAX_UINT32))

const ascending = fc
  .array(fc.record({ id: entryId, crc: crc32 }), { maxLength: 50 })
  .map((entries) => entries.sort((a, b) => compare(a.id, b.id)))

function compare(a: EntryId, b: EntryId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1
  if (a.seq === b.seq) return 0
  return a.seq < b.seq ? -1 : 1
}

test('what was packed comes back, whatever the ids up to 2^64-1 and the crcs', () => {
  fc.assert(
    fc.property(ascending, (entries) => {
      expect(unpackEntries(packEntries(entries))).toEqual(entries)
    }),
    { numRuns: 500 },
  )
})

test('the first and the last id of all, and one id with two crcs, come back', () => {
  const entries: LedgerEntry[] = [
    { id: { ms: 0n, seq: 0n }, crc: 0 },
    { id: { ms: 0n, seq: 0n }, crc: MAX_UINT32 },
    { id: { ms: MAX_UINT64, seq: 0n }, crc: 1 },
    { id: { ms: MAX_UINT64, seq: MAX_UINT64 }, crc: 2 },
  ]
  expect(unpackEntries(packEntries(entries))).toEqual(entries)
})

test('no entries are no bytes', () => {
  expect(packEntries([])).toHaveLength(0)
  expect(unpackEntries(Buffer.alloc(0))).toEqual([])
})

test('a packed list is read where it lies in a larger buffer', () => {
  const entries = [{ id: { ms: 7n, seq: 9n }, crc: 5 }]
  const packed = packEntries(entries)
  const around = Buffer.concat([Buffer.alloc(3, 0xff), packed, Buffer.alloc(3, 0xff)])
  expect(unpackEntries(around.subarray(3, 3 + packed.length))).toEqual(entries)
})

test('an entry of a busy stream takes at most seven bytes', () => {
  const start = 1_795_424_400_000n
  const busy = Array.from({ length: 1000 }, (_, index) => ({
    id: { ms: start + BigInt(Math.floor(index / 5)), seq: BigInt(index % 5) },
    crc: MAX_UINT32,
  }))
  const first = packEntries(busy.slice(0, 1)).length
  expect(packEntries(busy).length).toBeLessThanOrEqual(first + 999 * 7)
})

test('a list that was cut short is an error, not fewer entries', () => {
  const packed = packEntries([
    { id: { ms: 1_795_424_400_000n, seq: 1n }, crc: 1 },
    { id: { ms: 1_795_424_400_001n, seq: 300n }, crc: 2 },
  ])
  const whole = packEntries([{ id: { ms: 1_795_424_400_000n, seq: 1n }, crc: 1 }]).length
  for (let length = 1; length < packed.length; length += 1) {
    if (length === whole) continue
    expect(() => unpackEntries(packed.subarray(0, length)), `cut to ${length} bytes`).toThrow()
  }
})
