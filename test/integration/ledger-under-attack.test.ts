import fc from 'fast-check'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { trimStream } from '../../src/ingest/trim-stream.ts'
import type { EntryId } from '../../src/models/stream-entry.ts'
import { formatEntryId } from '../../src/models/stream-entry.ts'
import { createPool } from '../../src/pool.ts'
import { Partitions } from '../../src/retention/partitions.ts'
import { pruneLedger } from '../../src/retention/prune-ledger.ts'
import { Interner } from '../../src/writers/interner.ts'
import { unpackEntries } from '../../src/writers/packed-entries.ts'
import {
  AttackedStream,
  bodiesOf,
  compareIds,
  type EntryKey,
  refusedBodyOf,
} from '../helpers/attacked-stream.ts'
import { AttackingConsumer, type WriteStep } from '../helpers/attacking-consumer.ts'
import { type OwnRedis, startOwnRedis } from '../helpers/own-redis.ts'
import { findForkGaps, listedEntries, select } from '../helpers/stored.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

/*
 * Any interleaving of what can happen between Redis and the ledger, against real servers. What the ledger promises is checked when
 * everybody has come back and the stream is read to its end: each record of each entry that Redis still could deliver is there once, each of
 * an entry that was taken from Redis before it was committed, once or not at all.
 *
 * For longer: LEDGER_ATTACK_RUNS=2000, with LEDGER_ATTACK_SEED=<the seed that a failure prints>.
 */
const RUNS = Number(process.env.LEDGER_ATTACK_RUNS ?? 60)
const SEED = Number(process.env.LEDGER_ATTACK_SEED ?? 20_261_124)
const STREAM = 'attacked:logs'
const CONSUMERS = 3
const HANG_MS = 20_000

let databaseUrl: string
let ownRedis: OwnRedis
let redis: Redis
let pool: pg.Pool

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  // Small nodes, for whole nodes only are trimmed.
  ownRedis = await startOwnRedis({ appendonly: 'no', 'stream-node-max-entries': '2' })
  redis = new Redis(ownRedis.url)
  pool = createPool({ databaseUrl, applicationName: 'ledger attack', max: 20, onError: () => undefined })
})

afterAll(async () => {
  redis?.disconnect()
  await pool?.end()
  await ownRedis?.close()
})

const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { noNullPrototype: true })
const who = fc.nat(CONSUMERS - 1)
const fate = fc.constantFrom('commit', 'lose', 'rollback')
const write = record({
  maxRows: fc.integer({ min: 1, max: 12 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  fate: fc.oneof(
    { weight: 3, arbitrary: fc.constant('commit' as const) },
    fc.constantFrom('lose', 'rollback', 'hold', 'hold', 'hold', 'hold'),
  ),
  acks: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
}) satisfies fc.Arbitrary<WriteStep>
const kind = <K extends string>(name: K) => fc.constant(name)
const anyStep = fc.oneof(
  {
    weight: 8,
    arbitrary: record({
      kind: kind('add'),
      count: fc.integer({ min: 1, max: 8 }),
      gap: fc.constantFrom(0, 1, 1, 3),
    }),
  },
  { weight: 8, arbitrary: record({ kind: kind('read'), who, count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 3, arbitrary: record({ kind: kind('reread'), who, count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 10, arbitrary: record({ kind: kind('write'), who, write }) },
  { weight: 4, arbitrary: record({ kind: kind('wake'), who, fate }) },
  { weight: 3, arbitrary: record({ kind: kind('crash'), who }) },
  { weight: 3, arbitrary: record({ kind: kind('claim'), who, spared: who }) },
  { weight: 1, arbitrary: record({ kind: kind('destroyGroup') }) },
  {
    weight: 1,
    arbitrary: record({ kind: kind('renameGroup'), group: fc.constantFrom('one', 'two', 'three') }),
  },
  {
    weight: 1,
    arbitrary: record({ kind: kind('deleteStream'), refill: fc.integer({ min: 0, max: 20 }) }),
  },
  { weight: 1, arbitrary: record({ kind: kind('copyStream') }) },
  { weight: 1, arbitrary: record({ kind: kind('failOver') }) },
  { weight: 2, arbitrary: record({ kind: kind('trim'), keep: fc.nat(4) }) },
  { weight: 1, arbitrary: record({ kind: kind('trimUnread'), keep: fc.nat(6) }) },
  { weight: 3, arbitrary: record({ kind: kind('prune') }) },
)
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never

/** How often each thing that the ledger is there for really happened. */
const struck = new Map<string, number>()
const strike = (name: string, count = 1) => struck.set(name, (struck.get(name) ?? 0) + count)

test(
  'whatever happens between Redis and the ledger, every record is there exactly once',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
        const attack = new Attack()
        await attack.begin()
        for (const step of steps) await attack.take(step)
        await attack.recover()
        await attack.expectEachOnce()
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: true },
    )
    console.info(
      `ledger attacked ${RUNS} times, seed ${SEED}: ${[...struck].map(([name, count]) => `${name} ${count}`).join(', ')}`,
    )
    for (const name of STRIKES) expect(struck.get(name) ?? 0, name).toBeGreaterThan(0)
  },
  Math.max(120_000, RUNS * 3000),
)

/** Those without which the test would show little. */
const STRIKES = [
  'entries delivered again',
  'records avoided as duplicates',
  'commits that lost their answer',
  'frozen transactions woken to commit',
  'frozen transactions woken to rollback',
  'crashes while writing',
  'entries claimed',
  'other histories of an id',
  'failovers',
  'groups destroyed',
  'ledger rows pruned',
  'pending entries that vanished uncommitted',
]

class Attack {
  readonly #stream = new AttackedStream(redis, STREAM)
  readonly #deliveries = new Map<string, number>()
  readonly #consumers: AttackingConsumer[]
  /** All that was ever seen listed, pruned or not. */
  readonly #committed = new Set<string>()
  #group = 'one'
  #prunedBelow: EntryId | undefined

  constructor() {
    const partitions = new Partitions({ pool, interval: 'day' })
    const interner = new Interner({ maxPerMetric: 100, maxPerService: 100 })
    const shared = { redis, pool, partitions, interner, stream: STREAM }
    this.#consumers = Array.from(
      { length: CONSUMERS },
      (_, index) =>
        new AttackingConsumer({
          ...shared,
          name: `c${index}`,
          onDelivered: (key) => this.#deliveries.set(key, (this.#deliveries.get(key) ?? 0) + 1),
          onAcknowledged: (keys) =>
            strike(
              'acknowledged for another history',
              this.#stream.excuseAcknowledged(keys, this.#committed),
            ),
          onLost: (ids) => this.#expectExcused(ids),
        }),
    )
  }

  async begin(): Promise<void> {
    await redis.flushall()
    await select(databaseUrl, 'truncate ingest_ledger, dead_letters, log_records')
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'add':
        return this.#stream.add(step.count, step.gap)
      case 'read':
        return void (await this.#oneOf(step.who)?.read(this.#group, '>', step.count))
      case 'reread':
        return void (await this.#oneOf(step.who)?.read(this.#group, '0', step.count))
      case 'claim': {
        const isAlive = (name: string) => name === `c${step.spared}`
        return void strike('entries claimed', (await this.#oneOf(step.who)?.claim(this.#group, isAlive)) ?? 0)
      }
      case 'destroyGroup':
        return void strike(
          'groups destroyed',
          await redis.xgroup('DESTROY', STREAM, this.#group).then(Number, () => 0),
        )
      case 'renameGroup':
        this.#group = step.group
        return
      case 'prune':
        return this.#prune()
      case 'write':
      case 'wake':
      case 'crash':
        return this.#takeOfConsumer(step)
      default:
        await this.#destroy(step)
        await this.#stream.excuseDestroyed(await this.#seeCommitted())
    }
  }

  /** Steps that only some consumers can take, by one of those. */
  async #takeOfConsumer(step: Extract<Step, { kind: 'write' | 'wake' | 'crash' }>): Promise<void> {
    if (step.kind === 'write') {
      const writer = this.#oneOf(step.who, ({ isWriting, heldIds }) => !isWriting && heldIds.length > 0)
      if (writer !== undefined && step.write.fate === 'lose') strike('commits that lost their answer')
      await writer?.write(this.#group, step.write)
    } else if (step.kind === 'wake') {
      const frozen = this.#oneOf(step.who, ({ isFrozen }) => isFrozen)
      if (frozen !== undefined) strike(`frozen transactions woken to ${step.fate}`)
      await frozen?.wake(step.fate)
    } else {
      const busy = this.#oneOf(step.who, ({ heldIds }) => heldIds.length > 0)
      if (busy?.isWriting) strike('crashes while writing')
      await busy?.crash()
    }
  }

  #oneOf(
    who: number,
    can: (consumer: AttackingConsumer) => boolean = () => true,
  ): AttackingConsumer | undefined {
    const able = this.#consumers.filter(can)
    return able[who % able.length]
  }

  async #destroy(
    step: Extract<Step, { kind: 'deleteStream' | 'copyStream' | 'failOver' | 'trim' | 'trimUnread' }>,
  ): Promise<void> {
    const stream = this.#stream
    if (step.kind === 'deleteStream')
      await stream.delete({ refill: step.refill, sameFrom: this.#prunedBelow })
    else if (step.kind === 'copyStream') await stream.copy()
    else if (step.kind === 'trim') await trimStream(redis, { stream: STREAM, group: this.#group }, step.keep)
    else if (step.kind === 'trimUnread') await redis.xtrim(STREAM, 'MAXLEN', step.keep)
    else if (await stream.failOver()) strike('failovers')
  }

  async #prune(): Promise<void> {
    await this.#seeCommitted()
    const from = await this.#stream.redeliverableFrom(this.#consumers.flatMap(({ heldIds }) => heldIds))
    if (from === undefined) return
    const client = await pool.connect()
    try {
      const pruned = await pruneLedger(client, { stream: STREAM, keepDays: 0, redeliverableFrom: from })
      strike('ledger rows pruned', pruned)
    } finally {
      client.release()
    }
    if (this.#prunedBelow === undefined || compareIds(from, this.#prunedBelow) > 0) this.#prunedBelow = from
  }

  async #seeCommitted(): Promise<ReadonlySet<string>> {
    for (const key of await listedEntries(databaseUrl, STREAM)) this.#committed.add(key)
    return this.#committed
  }

  #expectExcused(ids: readonly string[]): void {
    const held = new Set(this.#consumers.flatMap(({ heldIds }) => heldIds.map(formatEntryId)))
    const entries = [...this.#stream.accepted.values()]
    for (const id of ids.filter((id) => !held.has(id))) {
      strike('pending entries that vanished uncommitted')
      expect(
        entries.some((entry) => entry.id === id && entry.isExcused),
        `${id} was called lost`,
      ).toBe(true)
    }
  }

  /** Everybody wakes up, and what Redis still has is read to its end. */
  async recover(): Promise<void> {
    const hung = new Promise(
      (_, reject) => void setTimeout(() => reject(new Error('A writer hangs')), HANG_MS).unref(),
    )
    await Promise.race([Promise.all(this.#consumers.map((consumer) => consumer.finish())), hung])
    const step = { maxRows: 20, concurrency: 2, fate: 'commit', acks: true } as const
    const group = this.#group
    const [consumer] = this.#consumers as [AttackingConsumer]
    const write = async () => {
      await consumer.write(group, step)
      await consumer.finish()
    }
    for (let after: string | undefined = '0'; after !== undefined; )
      after = await consumer.read(group, after, 100)
    await consumer.claim(group, () => false)
    await write()
    while ((await consumer.read(group, '>', 100)) !== undefined) await write()
    expect(await redis.xpending(STREAM, group)).toEqual([0, null, null, null])
    for (const { duplicates } of this.#consumers) strike('records avoided as duplicates', duplicates)
    strike(
      'entries delivered again',
      [...this.#deliveries.values()].reduce((sum, count) => sum + count - 1, 0),
    )
  }

  async expectEachOnce(): Promise<void> {
    const rows = await select<{ body: string }>(databaseUrl, 'select body from log_records')
    const letters = await select<{ body: string }>(
      databaseUrl,
      "select convert_from(payload, 'UTF8')::jsonb ->> 'body' as body from dead_letters",
    )
    const stored = new Map<string, number>()
    for (const { body } of [...rows, ...letters]) stored.set(body, (stored.get(body) ?? 0) + 1)
    const accepted = this.#stream.accepted
    for (const [key, entry] of accepted) {
      const counts = [...bodiesOf(entry), ...refusedBodyOf(entry)].map((body) => stored.get(body) ?? 0)
      const expected = entry.isExcused && counts.every((count) => count === 0) ? 0 : 1
      expect(counts, `records of ${key}, excused: ${entry.isExcused}`).toEqual(counts.map(() => expected))
    }
    const known = new Set(
      [...accepted.values()].flatMap((entry) => [...bodiesOf(entry), ...refusedBodyOf(entry)]),
    )
    expect(
      [...stored.keys()].filter((body) => !known.has(body)),
      'invented',
    ).toEqual([])
    await this.#expectLedger()
  }

  /** The ledger lists each entry once, counts its rows rightly, and leaves no gap below a fork. */
  async #expectLedger(): Promise<void> {
    const listed = await listedEntries(databaseUrl, STREAM)
    expect(new Set(listed).size, 'listed once').toBe(listed.length)
    const committed = await this.#seeCommitted()
    const missing = [...this.#stream.accepted].filter(
      ([key, { isExcused }]) => !isExcused && !committed.has(key),
    )
    expect(missing, 'not listed').toEqual([])
    const ledger = await select<{ fork: number; row_count: number; letter_count: number; entries: Buffer }>(
      databaseUrl,
      'select fork, row_count, letter_count, entries from ingest_ledger',
    )
    for (const row of ledger) {
      const entries = unpackEntries(row.entries).flatMap(({ id, crc }) => {
        const key: EntryKey = `${formatEntryId(id)}:${crc}`
        return this.#stream.accepted.get(key) ?? []
      })
      expect({ rows: row.row_count, letters: row.letter_count }).toEqual({
        rows: entries.flatMap(bodiesOf).length,
        letters: entries.flatMap(refusedBodyOf).length,
      })
    }
    strike('other histories of an id', ledger.filter(({ fork }) => fork > 0).length)
    expect(await findForkGaps(pool, STREAM), 'forks with gaps').toEqual([])
  }
}
