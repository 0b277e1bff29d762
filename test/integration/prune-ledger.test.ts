import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { oldestRedeliverable } from '../../src/ingest/oldest-redeliverable.ts'
import { type EntryId, formatEntryId } from '../../src/models/stream-entry.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { pruneLedger, pruneWriterLedgers } from '../../src/retention/prune-ledger.ts'
import { claimEntries, claimOverlapping } from '../../src/writers/ledger.ts'
import { unpackEntries } from '../../src/writers/packed-entries.ts'
import { findForkGaps, select } from '../helpers/stored.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix, withRedis } from '../helpers/test-redis.ts'

const STREAM = 'telemetry:logs'

let databaseUrl: string
let client: pg.Client

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  client = await openClient({ databaseUrl, applicationName: 'pruning test' })
})
afterAll(() => client?.end())
beforeEach(() => client.query('truncate ingest_ledger, dead_letters'))

const idOf = (ms: number): EntryId => ({ ms: BigInt(ms), seq: 0n })

/** Commits ids of one content as ingest does: one range, or points. */
async function commit(
  ids: readonly number[],
  { crc = 1, contiguous = false, stream = STREAM } = {},
): Promise<void> {
  const [first = 0, last = first] = [ids[0], ids.at(-1)]
  const ranges = contiguous
    ? [{ first: idOf(first), last: idOf(last) }]
    : ids.map((id) => ({ first: idOf(id), last: idOf(id) }))
  const claim = {
    stream,
    ranges,
    entries: ids.map((id) => ({ id: idOf(id), crc })),
    rowCount: 0,
    letterCount: 0,
  }
  await client.query('begin')
  if ((await claimEntries(client, claim)).kind === 'overlap') await claimOverlapping(client, claim)
  await client.query('commit')
}

const prune = (from: number, keepDays = 0) =>
  pruneLedger(client, { stream: STREAM, keepDays, redeliverableFrom: idOf(from) })

async function listed(): Promise<string[]> {
  const { rows } = await client.query<{ entries: Buffer }>(
    'select entries from ingest_ledger where stream = $1',
    [STREAM],
  )
  return rows.flatMap(({ entries }) => unpackEntries(entries).map(({ id, crc }) => `${id.ms}:${crc}`)).sort()
}

describe('pruning', () => {
  test('removes rows that end before what could be delivered again, and no other', async () => {
    await commit([1, 2, 3], { contiguous: true })
    await commit([5, 9], { contiguous: true })
    await commit([11, 12], { contiguous: true })
    expect(await prune(9)).toBe(1)
    expect(await listed()).toEqual(['11:1', '12:1', '5:1', '9:1'])
    expect(await prune(10)).toBe(1)
    expect(await listed()).toEqual(['11:1', '12:1'])
    expect(await prune(1000)).toBe(1)
  })

  test('keeps rows for as many days as told, and what lies above them', async () => {
    await commit([1])
    await commit([2])
    await commit([3])
    await client.query(`update ingest_ledger set committed_at = now() - interval '8 days'
                         where not ids @> 200000000000000000000::numeric`)
    expect(await prune(1000, 7)).toBe(1)
    expect(await listed()).toEqual(['2:1', '3:1'])
  })

  test('keeps what lies below a point of a row that stays', async () => {
    await commit([5])
    await commit([1, 9])
    expect(await prune(7)).toBe(0)
    expect(await prune(10)).toBe(2)
  })

  test('takes the purged letters with it that its rows counted, and no others', async () => {
    await commit([1, 2])
    await commit([9])
    await client.query(
      `insert into dead_letters (stream, signal, entry_ms, entry_seq, record_index, reason, detail, payload_form, payload_bytes, purged_at)
       select $1, 'logs', ms, 0, 0, 'bad_id', '', 'record', 0, case when ms <> 2 then now() end from unnest(array[1, 2, 9]) ms`,
      [STREAM],
    )
    expect(await prune(9)).toBe(1)
    const left = await select(databaseUrl, 'select entry_ms::int from dead_letters order by 1')
    expect(left).toEqual([{ entry_ms: 2 }, { entry_ms: 9 }])
  })

  test('keeps the fork 0 of an id that a later fork still covers, through any number of rows that overlap', async () => {
    await commit([1, 2])
    await commit([3, 9], { contiguous: true })
    await commit([1, 5], { crc: 2 })
    expect(await prune(8)).toBe(0)
    expect(await findForkGaps(client, STREAM)).toEqual([])
    expect(await prune(10)).toBe(3)
  })

  test('leaves other streams alone', async () => {
    await commit([1], { stream: 'other:logs' })
    expect(await prune(1000)).toBe(0)
  })

  test('removes any number of rows, beside batches that are being written', async () => {
    await client.query(
      `insert into ingest_ledger select $1, 0, nummultirange(numrange(n, n, '[]')), 0, 0, 0, now(), '' from generate_series(1, 12000) n`,
      [STREAM],
    )
    const other = await openClient({ databaseUrl, applicationName: 'pruning test' })
    try {
      await other.query('begin')
      const id = idOf(5)
      const claim = {
        stream: STREAM,
        ranges: [{ first: id, last: id }],
        entries: [{ id, crc: 1 }],
        rowCount: 0,
        letterCount: 0,
      }
      expect(await claimEntries(other, claim)).toMatchObject({ kind: 'all' })
      expect(await prune(1)).toBe(12_000)
      await other.query('commit')
    } finally {
      await other.end()
    }
    expect(await listed()).toEqual(['5:1'])
  })

  test('at any point in any ledger keeps what could be delivered again, and leaves no fork with a gap', async () => {
    const chunk = fc.record({
      ids: fc
        .uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 })
        .map((ids) => ids.sort((a, b) => a - b)),
      contiguous: fc.boolean(),
      crc: fc.constantFrom(1, 2, 3),
    })
    const cut = fc.integer({ min: 1, max: 31 })
    const anyLedger = fc.array(fc.tuple(chunk, fc.option(cut, { freq: 4 })), {
      minLength: 3,
      maxLength: 15,
      size: 'max',
    })
    let pruned = 0
    let forks = 0
    await fc.assert(
      fc.asyncProperty(anyLedger, async (steps) => {
        await client.query('truncate ingest_ledger')
        const committed = new Set<string>()
        for (const [{ ids, ...how }, from] of steps) {
          await commit(ids, how)
          for (const id of ids) committed.add(`${id}:${how.crc}`)
          if (from === null) continue
          pruned += await prune(from)
          for (const key of committed) if (Number.parseInt(key, 10) < from) committed.delete(key)
          expect(await listed()).toEqual(expect.arrayContaining([...committed]))
          expect(await findForkGaps(client, STREAM)).toEqual([])
        }
        const now = await listed()
        expect(new Set(now).size, 'listed once').toBe(now.length)
        forks += (await select(databaseUrl, 'select from ingest_ledger where fork > 0')).length
      }),
      { numRuns: 200, seed: 20_261_126, endOnFailure: true },
    )
    expect(pruned).toBeGreaterThan(100)
    expect(forks).toBeGreaterThan(100)
  })
})

test('old rows of writers without Redis go, and nothing else', async () => {
  const names = [
    `writer:logs:${randomUUID()}`,
    `writer:traces:${randomUUID()}`,
    'writer:logs',
    'telemetry:logs',
    'writer:logs:none',
  ]
  for (const stream of names) await commit([1], { stream })
  expect(await pruneWriterLedgers(client, 7)).toBe(0)
  await client.query(`update ingest_ledger set committed_at = now() - interval '8 days' where stream <> $1`, [
    names[0],
  ])
  expect(await pruneWriterLedgers(client, 7)).toBe(1)
  const left = await select<{ stream: string }>(databaseUrl, 'select stream from ingest_ledger')
  expect(left.map(({ stream }) => stream).sort()).toEqual([names[0], ...names.slice(2)].sort())
})

describe('the oldest entry that could be delivered again', () => {
  let stream: string
  let redis: Redis

  beforeEach(async () => {
    const { prefix, redisUrl } = await createTestPrefix()
    stream = `${prefix}:logs`
    redis = new Redis(redisUrl)
    return () => redis.disconnect()
  })

  const oldest = async () => {
    const id = await oldestRedeliverable(redis, stream)
    return id && formatEntryId(id)
  }

  test('is the first of the stream, read or not', async () => {
    await redis.xadd(stream, '7-1', 'a', 'b')
    await redis.xadd(stream, '9-0', 'a', 'b')
    expect(await oldest()).toBe('7-1')
    await redis.xgroup('CREATE', stream, 'g', '$')
    expect(await oldest()).toBe('7-1')
    await redis.xdel(stream, '7-1')
    expect(await oldest()).toBe('9-0')
  })

  test('is an older one that is pending in any group, though it is gone from the stream', async () => {
    for (const id of ['7-1', '8-0', '9-0']) await redis.xadd(stream, id, 'a', 'b')
    for (const [group, count] of [
      ['one', 2],
      ['two', 1],
    ] as const) {
      await redis.xgroup('CREATE', stream, group, '0')
      await redis.xreadgroup('GROUP', group, 'c', 'COUNT', count, 'STREAMS', stream, '>')
    }
    await redis.xack(stream, 'one', '7-1')
    await redis.xtrim(stream, 'MAXLEN', 1)
    expect(await oldest()).toBe('7-1')
    await redis.xack(stream, 'two', '7-1')
    expect(await oldest()).toBe('8-0')
    await redis.del(stream)
  })

  test('is not known of a stream that is not there, or empty with nothing pending', async () => {
    expect(await oldest()).toBeUndefined()
    await redis.xgroup('CREATE', stream, 'g', '0', 'MKSTREAM')
    expect(await oldest()).toBeUndefined()
  })

  test('is not taken from a Redis that does not tell of the groups', async () => {
    const name = `u${randomUUID()}`
    await redis.xadd(stream, '9-0', 'a', 'b')
    await withRedis((admin) => admin.acl('SETUSER', name, 'on', 'nopass', '~*', '+@all', '-xinfo'))
    try {
      await redis.auth(name, 'any')
      await expect(oldest()).rejects.toThrow('NOPERM')
    } finally {
      await withRedis((admin) => admin.acl('DELUSER', name))
    }
  })
})
