import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DeadLetter } from '../../../src/models/dead-letter.ts'
import type { EntryId } from '../../../src/models/stream-entry.ts'
import {
  type Batch,
  type BatchEntry,
  Batcher,
  type BatchLimits,
  type DecodedChunk,
  type DecodedEntry,
} from '../../../src/writers/batch.ts'

const UNLIMITED: BatchLimits = { maxRows: 1e9, maxBytes: 1e9, maxAgeMs: 60_000 }

const letter: DeadLetter = {
  recordIndex: 0,
  reason: 'not_json',
  detail: '',
  sqlState: undefined,
  payloadForm: 'json',
  payload: Buffer.alloc(0),
}

interface EntryShape {
  readonly id: number
  readonly rows?: number
  readonly letters?: number
  readonly bytes?: number
}

function entry({ id, rows = 1, letters = 0, bytes = 10 }: EntryShape): DecodedEntry<string> {
  const records = Array.from({ length: rows }, (_, index) => `${id}.${index}`)
  return {
    id: { ms: BigInt(id), seq: 0n },
    crc: id,
    bytes,
    records,
    recordIndexes: [...records.keys()],
    letters: Array.from({ length: letters }, () => letter),
  }
}

function chunk(entries: readonly EntryShape[], contiguous = true): DecodedChunk<string> {
  return { contiguous, readAt: Date.now(), entries: entries.map(entry) }
}

const ids = (batch: Batch<string>) => batch.entries.map(({ id }) => Number(id.ms))
const range = (first: number, last: number) => ({ first: idOf(first), last: idOf(last) })
const idOf = (ms: number): EntryId => ({ ms: BigInt(ms), seq: 0n })

/** A batcher whose batches are passed on as they are. */
function batcherWith(limits: Partial<BatchLimits>): Batcher<string, Batch<string>> {
  const asItIs = { add: () => undefined, finish: (batch: Batch<string>) => batch }
  return new Batcher({ ...UNLIMITED, ...limits }, () => asItIs)
}

/** All batches of all chunks, as a reader that is always there gets them. */
async function batchesOf(
  chunks: readonly DecodedChunk<string>[],
  limits: Partial<BatchLimits>,
): Promise<Batch<string>[]> {
  const batcher = batcherWith(limits)
  const batches: Batch<string>[] = []
  batcher.on('data', (batch) => batches.push(batch))
  for (const each of chunks) batcher.write(each)
  batcher.end()
  await new Promise((resolve) => batcher.once('end', resolve))
  return batches
}

describe('a batch is cut', () => {
  test('when it has maxRows records, refused ones counted', async () => {
    const chunks = [chunk([{ id: 1 }, { id: 2, letters: 1 }, { id: 3 }, { id: 4 }])]
    const batches = await batchesOf(chunks, { maxRows: 3 })
    expect(batches.map(ids)).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(batches).toMatchObject([
      { rows: 3, trigger: 'rows' },
      { rows: 2, trigger: 'end' },
    ])
  })

  test('when its entries have maxBytes bytes', async () => {
    const chunks = [
      chunk([
        { id: 1, bytes: 40 },
        { id: 2, bytes: 60 },
        { id: 3, bytes: 100 },
        { id: 4, bytes: 1 },
      ]),
    ]
    const batches = await batchesOf(chunks, { maxBytes: 100 })
    expect(batches.map(ids)).toEqual([[1, 2], [3], [4]])
    expect(batches).toMatchObject([
      { bytes: 100, trigger: 'bytes' },
      { bytes: 100, trigger: 'bytes' },
      { bytes: 1, trigger: 'end' },
    ])
  })

  test('at the end, and there is none where nothing waits', async () => {
    expect((await batchesOf([chunk([{ id: 1 }])], {})).map(({ trigger }) => trigger)).toEqual(['end'])
    expect(await batchesOf([], {})).toEqual([])
    expect(await batchesOf([chunk([])], {})).toEqual([])
  })

  test('never inside an entry, however large it is', async () => {
    const batches = await batchesOf(
      [
        chunk([
          { id: 1, rows: 7 },
          { id: 2, rows: 7, bytes: 500 },
        ]),
      ],
      {
        maxRows: 3,
        maxBytes: 100,
      },
    )
    expect(batches.map(ids)).toEqual([[1], [2]])
    expect(batches.map(({ rows }) => rows)).toEqual([7, 7])
  })

  test('with an entry in it that holds no record at all', async () => {
    const batches = await batchesOf([chunk([{ id: 1, rows: 0 }, { id: 2 }, { id: 3, rows: 0 }])], {
      maxRows: 1,
    })
    expect(batches.map(ids)).toEqual([[1, 2], [3]])
    expect(batches.map(({ rows }) => rows)).toEqual([1, 0])
  })

  test('with the time of its oldest entry', async () => {
    const old = { ...chunk([{ id: 1 }, { id: 2 }]), readAt: 1000 }
    const young = { ...chunk([{ id: 3 }]), readAt: 2000 }
    const batches = await batchesOf([old, young], { maxRows: 2 })
    expect(batches.map(({ oldestReadAt }) => oldestReadAt)).toEqual([1000, 2000])
  })
})

describe('the ranges of a batch', () => {
  test('are one for each contiguous chunk, so that nothing between two reads is covered', async () => {
    const [batch] = await batchesOf([chunk([{ id: 1 }, { id: 3 }]), chunk([{ id: 10 }, { id: 12 }])], {})
    expect(batch?.ranges).toEqual([range(1, 3), range(10, 12)])
  })

  test('are a point for each entry of a chunk that is not contiguous', async () => {
    const [batch] = await batchesOf([chunk([{ id: 1 }, { id: 3 }, { id: 9 }], false)], {})
    expect(batch?.ranges).toEqual([range(1, 1), range(3, 3), range(9, 9)])
  })

  test('of a chunk that is cut over several batches end and begin at the entries on either side', async () => {
    const contiguous = chunk([{ id: 1 }, { id: 4 }, { id: 6 }, { id: 9 }, { id: 11 }])
    const batches = await batchesOf([contiguous], { maxRows: 2 })
    expect(batches.map(({ ranges }) => ranges)).toEqual([[range(1, 4)], [range(6, 9)], [range(11, 11)]])
  })

  test('and its entries are right for chunks of any kind and limits of any size', async () => {
    const anyEntry = fc.record({
      gap: fc.integer({ min: 1, max: 3 }),
      rows: fc.integer({ min: 0, max: 4 }),
      letters: fc.integer({ min: 0, max: 2 }),
      bytes: fc.integer({ min: 0, max: 50 }),
    })
    const anyChunk = fc.record({ contiguous: fc.boolean(), entries: fc.array(anyEntry, { maxLength: 12 }) })
    const anyLimits = fc.record({
      maxRows: fc.integer({ min: 1, max: 12 }),
      maxBytes: fc.integer({ min: 1, max: 150 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(anyChunk, { maxLength: 6 }), anyLimits, async (shapes, limits) => {
        let next = 0
        const chunks = shapes.map(({ contiguous, entries }) =>
          chunk(
            entries.map((shape) => {
              next += shape.gap
              return { ...shape, id: next }
            }),
            contiguous,
          ),
        )
        const batches = await batchesOf(chunks, limits)
        expect(batches.flatMap(({ entries }) => entries.map(kept))).toEqual(
          chunks.flatMap(({ entries }) => entries),
        )
        for (const batch of batches) expectWithinLimits(batch, limits)
        expect(batches.flatMap(coveredIds)).toEqual(batches.flatMap((batch) => rangesOf(batch, chunks)))
      }),
      { numRuns: 300 },
    )
  })
})

/** An entry with what it decodes to again. */
function kept({ origin, ...entry }: BatchEntry<string>): DecodedEntry<string> {
  const { records, recordIndexes } = origin.decodeAgain()
  return { ...entry, records, recordIndexes }
}

function expectWithinLimits(batch: Batch<string>, limits: { maxRows: number; maxBytes: number }): void {
  const entries = batch.entries.map(kept)
  const rows = entries.reduce((sum, { records, letters }) => sum + records.length + letters.length, 0)
  const bytes = batch.entries.reduce((sum, entry) => sum + entry.bytes, 0)
  expect(batch).toMatchObject({ rows, bytes })
  const last = entries.at(-1)!
  expect(rows - last.records.length - last.letters.length).toBeLessThan(limits.maxRows)
  expect(bytes - last.bytes).toBeLessThan(limits.maxBytes)
  if (batch.trigger === 'rows') expect(rows).toBeGreaterThanOrEqual(limits.maxRows)
  if (batch.trigger === 'bytes') expect(bytes).toBeGreaterThanOrEqual(limits.maxBytes)
}

function coveredIds({ ranges }: Batch<string>): (readonly [number, number])[] {
  return ranges.map(({ first, last }) => [Number(first.ms), Number(last.ms)] as const)
}

/** The model: of each chunk's entries in the batch, the first and the last, or every one where the chunk is not contiguous. */
function rangesOf(
  batch: Batch<string>,
  chunks: readonly DecodedChunk<string>[],
): (readonly [number, number])[] {
  const inBatch = new Set(ids(batch))
  return chunks.flatMap(({ contiguous, entries }) => {
    const mine = entries.map(({ id }) => Number(id.ms)).filter((id) => inBatch.has(id))
    if (mine.length === 0) return []
    return contiguous ? [[mine[0]!, mine.at(-1)!] as const] : mine.map((id) => [id, id] as const)
  })
}

describe('the age of a batch', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('cuts it maxAgeMs after its first entry came, not after its last', async () => {
    const { batcher, batches } = reading({ maxAgeMs: 100 })
    batcher.write(chunk([{ id: 1 }]))
    await turn()
    vi.advanceTimersByTime(60)
    batcher.write(chunk([{ id: 2 }]))
    await turn()
    vi.advanceTimersByTime(39)
    await turn()
    expect(batches).toEqual([])
    vi.advanceTimersByTime(1)
    await turn()
    expect(batches.map(ids)).toEqual([[1, 2]])
    expect(batches[0]).toMatchObject({ trigger: 'age' })
    batcher.destroy()
  })

  test('starts anew with the batch after it', async () => {
    const { batcher, batches } = reading({ maxAgeMs: 100, maxRows: 2 })
    batcher.write(chunk([{ id: 1 }]))
    await turn()
    vi.advanceTimersByTime(90)
    batcher.write(chunk([{ id: 2 }, { id: 3 }]))
    await turn()
    vi.advanceTimersByTime(99)
    await turn()
    expect(batches.map(ids)).toEqual([[1, 2]])
    vi.advanceTimersByTime(1)
    await turn()
    expect(batches.map(ids)).toEqual([[1, 2], [3]])
    batcher.destroy()
  })

  test('does not cut while the stages behind are busy: the batch goes on filling', async () => {
    const batcher = batcherWith({ maxAgeMs: 100 })
    batcher.write(chunk([{ id: 1 }]))
    await turn()
    vi.advanceTimersByTime(100)
    for (let id = 2; id < 20; id += 1) {
      batcher.write(chunk([{ id }]))
      await turn()
      vi.advanceTimersByTime(100)
    }
    expect(batcher.readableLength, 'one batch waits for the stages behind').toBe(1)
    expect(batcher.waiting).toMatchObject({ rows: 18, bytes: 180 })

    expect(ids(batcher.read())).toEqual([1])
    vi.advanceTimersByTime(100)
    await turn()
    expect(ids(batcher.read())).toEqual(Array.from({ length: 18 }, (_, index) => index + 2))
    expect(vi.getTimerCount()).toBe(0)
    batcher.destroy()
  })

  test('runs no timer while nothing waits', async () => {
    const { batcher, batches } = reading({ maxAgeMs: 100, maxRows: 1 })
    expect(vi.getTimerCount()).toBe(0)
    batcher.write(chunk([]))
    batcher.write(chunk([{ id: 1 }, { id: 2 }]))
    await turn()
    expect(batches).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
    batcher.destroy()
  })

  test.each<[string, (batcher: Batcher<string, Batch<string>>) => unknown]>([
    ['destroy', (batcher) => batcher.destroy()],
    ['destroy with an error', (batcher) => batcher.destroy(new Error('lost'))],
    ['end', (batcher) => batcher.end()],
  ])('is forgotten by %s: no timer is left', async (_, finish) => {
    const { batcher } = reading({ maxAgeMs: 100 })
    batcher.on('error', () => undefined)
    batcher.write(chunk([{ id: 1 }]))
    await turn()
    expect(vi.getTimerCount()).toBe(1)
    finish(batcher)
    await turn()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(1000)
    await turn()
    batcher.destroy()
  })

  test('is forgotten by destroy even while the stages behind are busy', async () => {
    const batcher = batcherWith({ maxAgeMs: 100, maxRows: 2 })
    batcher.write(chunk([{ id: 1 }, { id: 2 }, { id: 3 }]))
    await turn()
    vi.advanceTimersByTime(500)
    expect(vi.getTimerCount()).toBe(1)
    batcher.destroy()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a full batcher', () => {
  test('holds the callback of the chunk that filled it until the batch is taken', async () => {
    const batcher = batcherWith({ maxRows: 2 })
    const taken: number[] = []
    for (const id of [1, 3, 5]) batcher.write(chunk([{ id }, { id: id + 1 }]), () => taken.push(id))
    await turn()
    expect(taken).toEqual([])
    expect(batcher.writableNeedDrain).toBe(true)

    for (const id of [1, 3, 5]) {
      expect(ids(batcher.read())).toEqual([id, id + 1])
      await turn()
    }
    expect(taken).toEqual([1, 3, 5])
    batcher.destroy()
  })

  test('takes what fits into the open batch while a cut one waits', async () => {
    const batcher = batcherWith({ maxRows: 3, maxAgeMs: 1 })
    batcher.write(chunk([{ id: 1 }]))
    await delay(50)
    expect(batcher.waiting.rows, 'cut by age').toBe(0)
    let taken = false
    batcher.write(chunk([{ id: 2 }]), () => {
      taken = true
    })
    await turn()
    expect(taken).toBe(true)
    expect(batcher.waiting.rows).toBe(1)
    batcher.destroy()
  })
})

test('told to hurry, it waits for no age any more', async () => {
  const { batcher, batches } = reading({ maxAgeMs: 60_000 })
  batcher.write(chunk([{ id: 1 }]))
  await delay(50)
  expect(batches).toEqual([])
  batcher.hurry()
  await delay(50)
  batcher.write(chunk([{ id: 2 }]))
  await delay(50)
  expect(batches.map(({ trigger }) => trigger)).toEqual(['age', 'age'])
  batcher.destroy()
})

test('what waits is told in rows, bytes and since when', async () => {
  const { batcher } = reading({})
  expect(batcher.waiting).toEqual({ rows: 0, bytes: 0, oldestReadAt: undefined })
  batcher.write({ ...chunk([{ id: 1, rows: 2, letters: 1, bytes: 30 }]), readAt: 5 })
  batcher.write({ ...chunk([{ id: 2, bytes: 12 }]), readAt: 6 })
  await turn()
  expect(batcher.waiting).toEqual({ rows: 4, bytes: 42, oldestReadAt: 5 })
  batcher.end()
  await turn()
  expect(batcher.waiting).toEqual({ rows: 0, bytes: 0, oldestReadAt: undefined })
  batcher.destroy()
})

/** A batcher whose batches are taken at once. */
function reading(limits: Partial<BatchLimits>): {
  batcher: Batcher<string, Batch<string>>
  batches: Batch<string>[]
} {
  const batcher = batcherWith(limits)
  const batches: Batch<string>[] = []
  batcher.on('data', (batch) => batches.push(batch))
  return { batcher, batches }
}
