import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { type Finished, runObservatory } from '../helpers/run-observatory.ts'
import { select } from '../helpers/stored.ts'
import { testRedisUrl } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const GROUP = 'observatory'
const ENTRIES = 40
let service: TestService
let logs: string
let traces: string

beforeAll(async () => {
  service = await startTestService({ BATCH_MAX_AGE_MS: '20', READ_BLOCK_MS: '200' })
  logs = `${service.prefix}:logs`
  traces = `${service.prefix}:traces`
})
afterAll(() => service?.close())

const query = (text: string, values: unknown[] = []) => select(service.databaseUrl, text, values)

function observatory(...args: string[]): Promise<Finished> {
  const env = {
    DATABASE_URL: service.databaseUrl,
    REDIS_URL: testRedisUrl(),
    STREAM_PREFIX: service.prefix,
  }
  return runObservatory(args, { env })
}

async function groupAt(stream: string): Promise<{ delivered: string; lag: unknown; pending: unknown }> {
  const [fields = []] = (await service.redis.xinfo('GROUPS', stream)) as unknown[][]
  const field = (name: string) => fields[fields.indexOf(name) + 1]
  return { delivered: String(field('last-delivered-id')), lag: field('lag'), pending: field('pending') }
}

async function ingested(stream: string, last: string): Promise<void> {
  await eventually(async () => expect(await groupAt(stream)).toMatchObject({ delivered: last, pending: 0 }))
}

/** Every record that is there, `entry:position`, in order. */
async function stored(): Promise<string[]> {
  const rows = await query(
    `select format('%s-%s:%s', entry_ms, entry_seq, record_index) as record
       from (select entry_ms, entry_seq, record_index from log_records
             union all select entry_ms, entry_seq, record_index from dead_letters) as records
      order by entry_ms, entry_seq, record_index`,
  )
  return rows.map(({ record }) => String(record))
}

/** As PostgreSQL was when the entry had not come yet. */
async function restoreTo(id: string): Promise<number> {
  const [ms] = id.split('-')
  const [row] = await query(
    `with rows as (delete from log_records where entry_ms >= $1 returning 1),
          letters as (delete from dead_letters where entry_ms >= $1 returning 1),
          ledger as (delete from ingest_ledger where upper(ids) >= $1::numeric * 1e20 returning 1)
     select (select count(*) from rows) + (select count(*) from letters) as gone, (select count(*) from ledger) as batches`,
    [ms],
  )
  return Number(row?.gone)
}

const ids: string[] = []
let newest = ''

beforeEach(async () => {
  ids.length = 0
  // Deleted rather than trimmed: then nothing was removed from what is there now.
  await service.redis.del(logs, traces)
  await query('truncate log_records, dead_letters, ingest_ledger, spans, span_contents')
  const records = [{ body: 'good' }, { severityNumber: 99 }, { body: 'last' }]
  for (let number = 0; number < ENTRIES; number += 1) {
    ids.push(String(await service.redis.xadd(logs, '*', 'json', JSON.stringify(records))))
    // Each tenth is a batch that ends here: what is restored lies between two batches, as it does in PostgreSQL.
    newest = ids[number] ?? ''
    if (number % 10 === 9) await ingested(logs, newest)
  }
})

describe('after PostgreSQL was restored to an earlier time', () => {
  test('rewind brings every record back exactly once', async () => {
    const before = await stored()
    expect(before).toHaveLength(3 * ENTRIES)
    const restored = ids[20] ?? ''
    expect(await restoreTo(restored)).toBe(3 * 20)
    expect((await observatory('audit')).code).toBe(1)

    const { code, stdout } = await observatory('rewind', '--to', restored)
    expect([code, stdout]).toEqual([0, expect.stringContaining(`${logs}`)])
    await ingested(logs, newest)
    expect(await stored()).toEqual(before)
    expect((await observatory('audit')).code).toBe(0)
  })

  test('a time is a place, too, however far back, and a single signal can be named', async () => {
    const before = await stored()
    await restoreTo(ids[10] ?? '')
    const left = await stored()
    expect(left).toHaveLength(3 * 10)
    expect((await observatory('rewind', '--to', '-1h', '--signal', 'traces')).code).toBe(0)
    expect(await stored()).toEqual(left)
    const { code, stdout } = await observatory('rewind', '--to', '-1h', '--signal', 'logs', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject([
      { stream: logs, from: newest, goesBack: true, entries: ENTRIES, isExact: true },
    ])
    await ingested(logs, newest)
    expect(await stored()).toEqual(before)
    expect((await observatory('audit')).code).toBe(0)
  })
})

describe('rewind', () => {
  test('only says what it would do with --dry-run', async () => {
    const place = ids[10] ?? ''
    const { code, stdout } = await observatory('rewind', '--to', place, '--dry-run', '--json')
    expect(code).toBe(0)
    const [rewound] = JSON.parse(stdout).filter(({ stream }: { stream: string }) => stream === logs)
    expect(rewound).toMatchObject({ from: newest, to: place, goesBack: true, isExact: false })
    expect(rewound.entries).toBeGreaterThan(0)
    expect(rewound.entries).toBeLessThanOrEqual(ENTRIES)
    expect((await groupAt(logs)).delivered).toBe(newest)
  })

  test('refuses a place beyond the end, and a word that is none', async () => {
    const beyond = await observatory('rewind', '--to', '9999999999999-0')
    expect([beyond.code, beyond.stderr]).toEqual([
      2,
      expect.stringMatching(/lies beyond the end.*newest entry is/),
    ])
    const future = await observatory('rewind', '--to', '2100-01-01T00:00:00Z')
    expect([future.code, future.stderr]).toEqual([2, expect.stringContaining('lies beyond the end')])
    const wrong = await observatory('rewind', '--to', 'yesterday')
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('Expected an entry id')])
    expect((await groupAt(logs)).delivered).toBe(newest)
  })

  test('never moves a group forward, which would skip entries', async () => {
    const behind = `${service.prefix}-behind`
    const first = String(await service.redis.xadd(`${behind}:logs`, '*', 'body', 'one'))
    const second = String(await service.redis.xadd(`${behind}:logs`, '*', 'body', 'two'))
    await service.redis.xgroup('CREATE', `${behind}:logs`, GROUP, '0')
    const { code, stdout } = await observatory('rewind', '--to', second, '--stream-prefix', behind)
    expect([code, stdout]).toEqual([0, expect.stringContaining('Nothing to do')])
    expect((await groupAt(`${behind}:logs`)).delivered).toBe('0-0')
    expect(first).not.toBe(second)
    await service.redis.del(`${behind}:logs`)
  })

  test('warns of what was trimmed, rewinds all the same, and exits 1; the lag is right again', async () => {
    await service.redis.xtrim(logs, 'MINID', ids[30] ?? '')
    const { code, stderr } = await observatory('rewind', '--to', ids[25] ?? '')
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`entries of ${logs} from ${ids[25]} on were removed`),
    ])
    await ingested(logs, newest)
    expect((await groupAt(logs)).lag).toBe(0)
    const after = await observatory('rewind', '--to', ids[30] ?? '')
    expect([after.code, after.stderr]).toEqual([0, ''])
    await ingested(logs, newest)
    expect((await groupAt(logs)).lag).toBe(0)
  })
})
