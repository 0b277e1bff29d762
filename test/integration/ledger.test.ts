import { once } from 'node:events'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LogRecord } from '../../src/models/log-record.ts'
import type { Span } from '../../src/models/span.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import type { DecodedChunk } from '../../src/writers/batch.ts'
import { claimEntries, claimOverlapping, type LedgerClaim } from '../../src/writers/ledger.ts'
import { LOG_RECORD_TABLE } from '../../src/writers/log-record-table.ts'
import { createSpanTable } from '../../src/writers/span-table.ts'
import {
  type BufferStats,
  TelemetryWriter,
  type TelemetryWriterOptions,
} from '../../src/writers/telemetry-writer.ts'
import { type CommitLosingProxy, createCommitLosingProxy } from '../helpers/commit-losing-proxy.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { expectLedgerCounts, listedEntries, select } from '../helpers/stored.ts'
import { decodedChunk, type EntryShape, looseSpan } from '../helpers/telemetry-chunks.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

const STREAM = 'telemetry:logs'
let databaseUrl: string

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
})

const empty = () =>
  withPostgres(databaseUrl, (client) =>
    client.query('truncate ingest_ledger, dead_letters, log_records, spans, span_contents'),
  )
beforeEach(empty)

describe('of two transactions at once', () => {
  let first: Claimant
  let second: Claimant

  beforeEach(async () => {
    first = await Claimant.open()
    second = await Claimant.open()
  })
  afterEach(async () => {
    await Promise.all([first.end(), second.end()])
  })

  test('that claim the same range, the second waits and then finds all of it ingested', async () => {
    expect(await first.claim(range(1, 5))).toEqual([1, 2, 3, 4, 5])
    const claimed = second.claim(range(1, 5))
    await second.waits()
    await first.commit()
    expect(await claimed).toEqual([])
    await second.commit()
    expect(await listed()).toEqual(['1-0:1', '2-0:1', '3-0:1', '4-0:1', '5-0:1'])
  })

  test('that claim ranges which overlap, the second gets what the first did not list', async () => {
    await first.claim(range(1, 5))
    const claimed = second.claim(range(4, 8))
    await second.waits()
    await first.commit()
    expect(await claimed).toEqual([6, 7, 8])
    await second.commit()
    expect(await listed()).toHaveLength(8)
  })

  test('of which one claims points inside the range of the other, either finds what the other lists', async () => {
    await first.claim(range(1, 5))
    const inside = second.claim(points(2, 4, 9))
    await second.waits()
    await first.commit()
    expect(await inside).toEqual([9])
    await second.commit()

    await first.claim(points(21, 25))
    const around = second.claim(range(20, 26))
    await second.waits()
    await first.commit()
    expect(await around).toEqual([20, 22, 23, 24, 26])
    await second.commit()
    expect(await listed()).toHaveLength(13)
  })

  test('the second may write all of it when the first rolls back', async () => {
    await first.claim(range(1, 5))
    const claimed = second.claim(range(3, 7))
    await second.waits()
    await first.rollback()
    expect(await claimed).toEqual([3, 4, 5, 6, 7])
    await second.commit()
  })

  test('the second may write all of it when the session of the first ends', async () => {
    await first.claim(range(1, 5))
    const claimed = second.claim(range(1, 5))
    await second.waits()
    await first.end()
    expect(await claimed).toEqual([1, 2, 3, 4, 5])
    await second.commit()
  })

  test('neither waits when they claim different ids, or the same ids of different streams', async () => {
    await first.claim(range(1, 5))
    expect(await second.claim(range(6, 9))).toEqual([6, 7, 8, 9])
    await second.commit()
    expect(await second.claim({ ...range(1, 5), stream: 'telemetry:traces' })).toHaveLength(5)
    await second.commit()
    await first.commit()
  })

  test('the second waits for the first even where earlier histories send the two to different forks', async () => {
    await commitAlone(points(11))
    await first.claim(points(12, { crc: 3 }))
    const claimed = second.claim(points(11, 12, { crc: 3 }))
    await second.waits()
    await first.commit()
    expect(await claimed).toEqual([11])
    await second.commit()
    expect(await listed()).toEqual(['11-0:1', '11-0:3', '12-0:3'])
  })

  test('and with two earlier histories of one id and one of the other', async () => {
    await commitAlone(points(11))
    await commitAlone(points(12))
    await commitAlone(points(11, { crc: 2 }))
    await first.claim(points(12, { crc: 3 }))
    const claimed = second.claim(points(11, 12, { crc: 3 }))
    await second.waits()
    await first.commit()
    expect(await claimed).toEqual([11])
    await second.commit()
    expect(await listed()).toEqual(['11-0:1', '11-0:2', '11-0:3', '12-0:1', '12-0:3'])
  })
})

describe('an id with another crc belongs to another history', () => {
  test('and is new, each time, in the next fork', async () => {
    for (const crc of [1, 2, 3]) expect(await commitAlone(range(1, 4, { crc }))).toEqual([1, 2, 3, 4])
    for (const crc of [1, 2, 3]) expect(await commitAlone(range(1, 4, { crc }))).toEqual([])
    const rows = await select(databaseUrl, 'select fork, entry_count from ingest_ledger order by fork')
    expect(rows).toEqual([0, 1, 2].map((fork) => ({ fork, entry_count: 4 })))
  })

  test('as does an id inside a range that does not list it', async () => {
    await commitAlone({ ...range(1, 9), entries: [entry(1), entry(9)] })
    expect(await commitAlone(points(5, { crc: 2 }))).toEqual([5])
    expect(await commitAlone(points(5, { crc: 2 }))).toEqual([])
  })

  test('however the two histories were cut', async () => {
    await commitAlone(range(1, 6))
    expect(await commitAlone(range(4, 9, { crc: 2 }))).toEqual([4, 5, 6, 7, 8, 9])
    expect(await commitAlone(range(1, 9, { crc: 2 }))).toEqual([1, 2, 3])
    expect(await commitAlone(range(1, 9))).toEqual([7, 8, 9])
    expect(await listed()).toHaveLength(18)
  })
})

test('what went to a later fork is recognised by a read that begins in the middle of it', async () => {
  await commitAlone(points(11))
  expect(await commitAlone(range(10, 13, { crc: 2 }))).toEqual([10, 11, 12, 13])
  expect(await commitAlone(range(12, 15, { crc: 2 }))).toEqual([14, 15])
  expect(await commitAlone(points(13, 10, { crc: 2 }))).toEqual([])
})

test('ids up to 2^64-1 are told apart to the last digit', async () => {
  const max = 2n ** 64n - 1n
  const ids = [
    { ms: max, seq: max },
    { ms: max, seq: max - 1n },
    { ms: max - 1n, seq: max },
    { ms: 0n, seq: 1n },
    { ms: 1n, seq: 0n },
    { ms: 1n, seq: 11n },
    { ms: 11n, seq: 1n },
    { ms: 111n, seq: 0n },
  ]
  for (const id of ids) {
    const claim = { ranges: [{ first: id, last: id }], entries: [{ id, crc: 1 }] }
    expect(await commitAlone(claim), `${id.ms}-${id.seq}`).toHaveLength(1)
    expect(await commitAlone(claim), `${id.ms}-${id.seq} again`).toHaveLength(0)
  }
  const forks = await select(databaseUrl, 'select distinct fork from ingest_ledger')
  expect(forks, 'no id is taken for another one').toEqual([{ fork: 0 }])
})

test('entries that were reclaimed, thousands of points, are claimed and recognised', async () => {
  const many = points(...Array.from({ length: 3000 }, (_, index) => index * 3 + 1))
  expect(await commitAlone(many)).toHaveLength(3000)
  expect(await commitAlone(many)).toEqual([])
  expect(await commitAlone(range(1, 5))).toEqual([2, 3, 5])
})

describe('through a writer', () => {
  test('a chunk that is delivered again is written once and counted as duplicates', async () => {
    const chunk = logChunk([1, 2, 3, 4])
    const [once, again] = [await writeAll([chunk]), await writeAll([chunk])]
    expect(once).toMatchObject({ duplicates: 0 })
    expect(again).toEqual({ written: 0, deadLettered: 0, duplicates: once.written + once.deadLettered })
    await expectEachOnce([
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
    ])
  })

  test('an entry with no record in it is ingested with nothing', async () => {
    await writeAll([decodedChunk('logs', [{ id: 1, crc: 7, records: [] }])])
    expect(await listed()).toEqual(['1-0:7'])
    await expectLedgerCounts(databaseUrl, STREAM, 'log_records')
  })

  test('entries are written and listed whatever order their reads came in', async () => {
    // Reclaimed entries are older than what was read before them; so is a stream that was deleted and began anew.
    const chunks = [
      logChunk([200, 201]),
      logChunk([7, 9], { contiguous: false }),
      logChunk([201], { crc: 2 }),
    ]
    const counts = await writeAll(chunks)
    expect(counts.duplicates).toBe(0)
    const entries = [
      [200, 1],
      [201, 1],
      [7, 1],
      [9, 1],
      [201, 2],
    ] as const
    await expectEachOnce(entries)
    expect(await writeAll(chunks)).toMatchObject({ written: 0, deadLettered: 0 })
    await expectEachOnce(entries)
  })

  test('an entry that is in a batch twice is written once', async () => {
    const counts = await writeAll([logChunk([1, 2, 3]), logChunk([2, 3, 4], { contiguous: false })])
    expect(counts.duplicates).toBe(recordsOf(2, 1).length + recordsOf(3, 1).length)
    await expectEachOnce([
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 1],
    ])
  })

  test('what overlaps is written as far as it is new, with the dead letters of the new entries only', async () => {
    await writeAll([logChunk([1, 2, 3, 4, 5])])
    await writeAll([logChunk([4, 5, 6, 7]), logChunk([20, 21])])
    await writeAll([logChunk([2, 7, 8, 21, 22], { contiguous: false })])
    await expectEachOnce([1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 22].map((id) => [id, 1]))
  })

  test('the same entries of two streams are both written', async () => {
    await writeAll([logChunk([1, 2])])
    await writeAll([logChunk([1, 2])], { stream: 'other:logs' })
    const [{ rows } = { rows: 0 }] = await select(
      databaseUrl,
      'select count(*)::int as rows from log_records',
    )
    expect(rows).toBe(2 * [1, 2].flatMap((id) => goodRecordsOf(id, 1)).length)
  })
})

describe('when the answer to a COMMIT is lost', () => {
  let proxy: CommitLosingProxy

  beforeAll(async () => {
    proxy = await createCommitLosingProxy(databaseUrl)
  })
  afterAll(() => proxy?.close())

  test('the batch is tried again and found to be ingested', async () => {
    proxy.loseCommits(1)
    const counts = await writeAll([logChunk([1, 2, 3, 4, 5])], { through: proxy.databaseUrl })
    expect(proxy.lost()).toBe(1)
    expect(counts).toEqual({
      written: 0,
      deadLettered: 0,
      duplicates: [1, 2, 3, 4, 5].flatMap((id) => recordsOf(id, 1)).length,
    })
    await expectEachOnce([1, 2, 3, 4, 5].map((id) => [id, 1]))
  })

  test('those of several batches at once, each is found by itself', async () => {
    const before = proxy.lost()
    proxy.loseCommits(4)
    const ids = Array.from({ length: 40 }, (_, index) => index + 1)
    await writeAll([logChunk(ids)], { through: proxy.databaseUrl, maxRows: 5, concurrency: 3 })
    expect(proxy.lost() - before).toBe(4)
    await expectEachOnce(ids.map((id) => [id, 1]))
  })

  test('records that came by no stream are not doubled either, nor the bodies beside them', async () => {
    proxy.loseCommits(1)
    const { pool, stop } = openPool(proxy.databaseUrl)
    const writer = new TelemetryWriter<Span>(createSpanTable(), { pool })
    writer.end([looseSpan('chat', { attributes: { 'gen_ai.prompt': 'hi' } }), looseSpan('embed')])
    await once(writer, 'finish')
    expect(writer.stats()).toMatchObject({ written: 0, duplicates: 2 })
    await stop()
    expect(await select(databaseUrl, 'select name from spans order by name')).toEqual([
      { name: 'chat' },
      { name: 'embed' },
    ])
    expect(await select(databaseUrl, 'select count(*)::int as n from span_contents')).toEqual([{ n: 1 }])
  })
})

test('any number of writers of any chunks, with COMMIT answers lost, end with each entry there once', async () => {
  const anyChunk = fc.record({
    crc: fc.constantFrom(1, 2, 3),
    first: fc.integer({ min: 1, max: 20 }),
    length: fc.integer({ min: 1, max: 8 }),
    step: fc.constantFrom(1, 1, 3),
  })
  const anyWriter = fc.record({
    maxRows: fc.integer({ min: 1, max: 12 }),
    concurrency: fc.integer({ min: 1, max: 3 }),
    chunks: fc.array(anyChunk, { minLength: 1, maxLength: 5 }),
  })
  const anyRun = fc.record({
    writers: fc.array(anyWriter, { minLength: 2, maxLength: 4 }),
    losses: fc.integer({ min: 0, max: 3 }),
  })
  const proxy = await createCommitLosingProxy(databaseUrl)
  try {
    await fc.assert(
      fc.asyncProperty(anyRun, async ({ writers, losses }) => {
        await empty()
        proxy.loseCommits(losses)
        const entries = new Set<string>()
        const runs = writers.map(async ({ maxRows, concurrency, chunks }) => {
          const decoded = chunks.map(({ crc, first, length, step }) => {
            const ids = Array.from({ length }, (_, index) => first + index * step)
            for (const id of ids) entries.add(`${id}:${crc}`)
            return logChunk(ids, { crc, contiguous: step === 1 })
          })
          const given = decoded
            .flatMap(({ entries }) => entries)
            .reduce((n, { records, letters }) => n + records.length + letters.length, 0)
          const counts = await writeAll(decoded, { through: proxy.databaseUrl, maxRows, concurrency })
          expect(counts.written + counts.deadLettered + counts.duplicates).toBe(given)
        })
        await Promise.all(runs)
        await expectEachOnce([...entries].map((key) => key.split(':').map(Number) as [number, number]))
      }),
      { numRuns: 15, seed: 20_261_123, endOnFailure: true },
    )
  } finally {
    await proxy.close()
  }
})

interface Claim {
  readonly stream?: string
  readonly ranges: LedgerClaim['ranges']
  readonly entries: LedgerClaim['entries']
}

const idOf = (ms: number) => ({ ms: BigInt(ms), seq: 0n })
const entry = (ms: number, crc = 1) => ({ id: idOf(ms), crc })

/** All ids of one contiguous read. */
function range(first: number, last: number, { crc = 1 }: { crc?: number } = {}): Claim {
  const ids = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  return { ranges: [{ first: idOf(first), last: idOf(last) }], entries: ids.map((id) => entry(id, crc)) }
}

/** Ids that were reclaimed one by one; options come last. */
function points(...args: (number | { crc: number })[]): Claim {
  const ids = args.filter((arg) => typeof arg === 'number')
  const crc = args.find((arg) => typeof arg === 'object')?.crc ?? 1
  return {
    ranges: ids.map((id) => ({ first: idOf(id), last: idOf(id) })),
    entries: ids.map((id) => entry(id, crc)),
  }
}

/** A session that claims as a batch does: the whole first and, where that overlaps, what is left of it. */
class Claimant {
  readonly #client: pg.Client
  readonly #pid: number
  #ended = false

  constructor(client: pg.Client, pid: number) {
    this.#client = client
    this.#pid = pid
  }

  static async open(): Promise<Claimant> {
    const client = await openClient({ databaseUrl, applicationName: 'ledger test' })
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    return new Claimant(client, rows[0]!.pid)
  }

  /** @returns the milliseconds of the ids that may be written. The transaction stays open. */
  async claim({ stream = STREAM, ranges, entries }: Claim): Promise<number[]> {
    const claim = { stream, ranges, entries, rowCount: entries.length, letterCount: 0 }
    await this.#client.query('begin')
    let outcome = await claimEntries(this.#client, claim)
    if (outcome.kind === 'overlap') {
      await this.#client.query('rollback')
      await this.#client.query('begin')
      outcome = await claimOverlapping(this.#client, claim)
    }
    const claimed =
      outcome.kind === 'all' ? entries : entries.filter((_, index) => outcome.claimed.has(index))
    return claimed.map(({ id }) => Number(id.ms))
  }

  /** Resolves when its session waits for a lock. */
  async waits(): Promise<void> {
    await eventually(async () => {
      const [session] = await select(
        databaseUrl,
        'select wait_event_type from pg_stat_activity where pid = $1',
        [this.#pid],
      )
      expect(session?.wait_event_type).toBe('Lock')
    })
  }

  async commit(): Promise<void> {
    await this.#client.query('commit')
  }

  async rollback(): Promise<void> {
    await this.#client.query('rollback')
  }

  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#client.end()
  }
}

async function commitAlone(claim: Claim): Promise<number[]> {
  const claimant = await Claimant.open()
  try {
    const claimed = await claimant.claim(claim)
    await claimant.commit()
    return claimed
  } finally {
    await claimant.end()
  }
}

const listed = () => listedEntries(databaseUrl, STREAM)

/** What the entry of this id and crc holds: none to three log records and perhaps a bad one, told apart by their bodies. */
function recordsOf(id: number, crc: number): object[] {
  const good = goodRecordsOf(id, crc).map((message) => ({ message }))
  return isPoisoned(id, crc) ? [{ message: bodyOf(id, crc, 9), severityNumber: 99 }, ...good] : good
}

const goodRecordsOf = (id: number, crc: number) =>
  Array.from({ length: (id + crc) % 4 }, (_, index) => bodyOf(id, crc, index))
const isPoisoned = (id: number, crc: number) => (id * crc) % 5 === 0
const bodyOf = (id: number, crc: number, index: number) => `${id}/${crc}/${index}`

function logChunk(
  ids: readonly number[],
  { crc = 1, contiguous = true }: { crc?: number; contiguous?: boolean } = {},
): DecodedChunk<LogRecord> {
  const shapes: EntryShape[] = ids.map((id) => ({ id, crc, records: recordsOf(id, crc) }))
  return decodedChunk<LogRecord>('logs', shapes, { contiguous })
}

interface WriteOptions extends Pick<TelemetryWriterOptions<LogRecord>, 'stream' | 'maxRows' | 'concurrency'> {
  readonly through?: string
}

/** Writes the chunks with a writer of their own. */
async function writeAll(
  chunks: readonly DecodedChunk<LogRecord>[],
  { through = databaseUrl, ...options }: WriteOptions = {},
): Promise<Pick<BufferStats, 'written' | 'deadLettered' | 'duplicates'>> {
  const { pool, stop } = openPool(through)
  const writer = new TelemetryWriter<LogRecord>(LOG_RECORD_TABLE, { pool, stream: STREAM, ...options })
  try {
    for (const chunk of chunks) writer.write(chunk)
    writer.end()
    await once(writer, 'finish')
    const { written, deadLettered, duplicates } = writer.stats()
    return { written, deadLettered, duplicates }
  } finally {
    await stop()
  }
}

function openPool(url: string): { pool: pg.Pool; stop: () => Promise<void> } {
  const pool = createPool({
    databaseUrl: url,
    applicationName: 'ledger test',
    max: 4,
    onError: () => undefined,
  })
  return { pool, stop: () => pool.end() }
}

/** Fails unless exactly these entries, `[id, crc]`, are listed once each, with their records and letters there once each. */
async function expectEachOnce(entries: readonly (readonly [number, number])[]): Promise<void> {
  const keys = entries.map(([id, crc]) => `${id}-0:${crc}`)
  expect(await listed()).toEqual(keys.sort())
  const rows = await select<{ body: string }>(databaseUrl, 'select body from log_records')
  expect(rows.map(({ body }) => body).sort()).toEqual(
    entries.flatMap(([id, crc]) => goodRecordsOf(id, crc)).sort(),
  )
  const letters = await select<{ body: string }>(
    databaseUrl,
    "select convert_from(payload, 'UTF8')::jsonb ->> 'message' as body from dead_letters where reason = 'out_of_range'",
  )
  const poisoned = entries.filter(([id, crc]) => isPoisoned(id, crc)).map(([id, crc]) => bodyOf(id, crc, 9))
  expect(letters.map(({ body }) => body).sort()).toEqual(poisoned.sort())
  await expectLedgerCounts(databaseUrl, STREAM, 'log_records')
}
