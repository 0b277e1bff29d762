import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const SPANS = 900
const DAY_MS = 86_400_000
let app: TestService
/** Ids of the spans, the newest first; those of one nanosecond in any order. */
let times: ReadonlyMap<string, bigint>

interface SpanJson {
  readonly spanId: string
  readonly name: string
  readonly startTimeUnixNano: string
}

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const now = BigInt(Date.now())
  const spans = Array.from({ length: SPANS }, (_, index) => ({
    traceId: randomBytes(16).toString('hex'),
    spanId: (index + 1).toString(16).padStart(16, '0'),
    name: `span ${index % 3}`,
    service: index % 2 === 0 ? 'even' : 'odd',
    status: index % 10 === 0 ? 'error' : 'ok',
    kind: index % 4 === 0 ? 'client' : 'server',
    // Over four days, and groups of seven in one nanosecond.
    startTimeUnixNano: String(
      (now - BigInt(index % 4) * BigInt(DAY_MS)) * 1_000_000n - BigInt(Math.floor(index / 28)),
    ),
    durationMs: index,
    attributes: { index, 'a.text': `t${index % 5}`, flag: index % 2 === 0 },
  }))
  times = new Map(spans.map((span) => [span.spanId, BigInt(span.startTimeUnixNano)]))
  for (let from = 0; from < SPANS; from += 100)
    await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify(spans.slice(from, from + 100)))
  await eventually(async () =>
    expect(await app.query('select count(*)::int as n from spans')).toEqual([{ n: SPANS }]),
  )
})
afterAll(() => app?.close())

async function page(query: string) {
  const answer = await app.get(`/api/v1/spans?${query}`)
  return {
    status: answer.status,
    ...((await answer.json()) as { data: SpanJson[]; nextCursor: string | null; detail?: string }),
  }
}

/** Every page of a query, one after the other. */
async function pages(query: string): Promise<SpanJson[]> {
  const all: SpanJson[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { data, nextCursor }: Awaited<ReturnType<typeof page>> = await page(
      `${query}${cursor && `&cursor=${cursor}`}`,
    )
    all.push(...data)
    cursor = nextCursor
  }
  return all
}

describe('pages of JSON', () => {
  test.each(['desc', 'asc'])('have every record once, ordered by time: %s', async (order) => {
    for (const limit of [1000, 300, 7, 61]) {
      const all = await pages(`order=${order}&limit=${limit}`)
      expect(new Set(all.map(({ spanId }) => spanId)).size).toBe(SPANS)
      expect(all).toHaveLength(SPANS)
      all.slice(1).forEach((span, index) => {
        const [before, after] = [times.get(all[index]?.spanId ?? ''), times.get(span.spanId)]
        expect(order === 'asc' ? (before ?? 0n) <= (after ?? 0n) : (before ?? 0n) >= (after ?? 0n)).toBe(true)
      })
    }
  })

  test('have every record of one nanosecond once, whichever entries of a millisecond they came in', async () => {
    const startTimeUnixNano = `${Date.now()}000000`
    const ids = Array.from({ length: 12 }, (_, index) => (index + 1).toString(16).padStart(16, 'e'))
    const entryMs = Date.now() + 100
    for (const [index, spanId] of ids.entries()) {
      const span = { traceId: 'b'.repeat(32), spanId, name: 'at once', startTimeUnixNano }
      await app.redis.xadd(`${app.prefix}:traces`, `${entryMs}-${index + 1}`, 'json', JSON.stringify(span))
    }
    await eventually(async () => expect((await page('name=at+once')).data).toHaveLength(ids.length))
    for (const limit of [1, 2, 5]) {
      const newest = await pages(`name=at+once&limit=${limit}`)
      expect(newest.map(({ spanId }) => spanId)).toEqual(ids.toReversed())
      const oldest = await pages(`name=at+once&order=asc&limit=${limit}`)
      expect(oldest.map(({ spanId }) => spanId)).toEqual(ids)
    }
    await app.query(`delete from spans where name = 'at once'`)
  })

  test('are not disturbed by records that come in between', async () => {
    const first = await page('limit=500')
    const span = {
      traceId: 'a'.repeat(32),
      spanId: 'f'.repeat(16),
      name: 'late',
      startTimeUnixNano: `${Date.now()}000000`,
    }
    await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify(span))
    await eventually(async () => expect((await page('name=late')).data).toHaveLength(1))
    const second = await page(`limit=500&cursor=${first.nextCursor}`)
    expect(new Set([...first.data, ...second.data].map(({ spanId }) => spanId)).size).toBe(SPANS)
    await app.query(`delete from spans where name = 'late'`)
  })

  test('leave the connections that they were read over as they are', async () => {
    const connections = () =>
      app.query(
        `select pid from pg_stat_activity
          where datname = current_database() and application_name = 'observatory:api' order by pid`,
      )
    await page('limit=5')
    const before = await connections()
    expect(before).not.toEqual([])
    for (let read = 0; read < 5; read += 1) await page('limit=5')
    const after = await connections()
    expect(after).not.toEqual([])
    expect(before).toEqual(expect.arrayContaining(after))
  })

  test('end with a cursor only where there are more', async () => {
    expect((await page(`limit=${SPANS}`)).nextCursor).toBeNull()
    expect((await page(`limit=${SPANS - 1}`)).nextCursor).toMatch(/^[\w-]+$/)
    expect(await page('name=nothing')).toMatchObject({ data: [], nextCursor: null })
  })

  test.each([
    ['cursor=nonsense', 'must be the nextCursor'],
    ['cursor=nonsense&format=ndjson', 'cursor'],
    ['order=sideways', 'order'],
    ['minDuration=long', 'minDuration must be a duration'],
    ['status=good', 'status'],
    ['spanId=12', 'spanId'],
  ])('%s is refused with what would be right', async (query, detail) => {
    const answer = await page(query)
    expect(answer.status).toBe(400)
    expect(answer.detail).toContain(detail)
  })

  test('of another query are refused', async () => {
    const { nextCursor } = await page('service=even&limit=5')
    expect((await page(`service=even&limit=50&cursor=${nextCursor}`)).status).toBe(200)
    const foreign = await page(`service=odd&limit=5&cursor=${nextCursor}`)
    expect(foreign.status).toBe(400)
    expect(foreign.detail).toContain('cursor is of another query')
  })
})

describe('NDJSON', () => {
  const lines = async (query: string) => {
    const text = await (await app.get(`/api/v1/spans?format=ndjson&${query}`)).text()
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as SpanJson]))
  }
  const dayOf = (span: SpanJson) => BigInt(span.startTimeUnixNano) / BigInt(DAY_MS) / 1_000_000n

  test('comes partition by partition, the newest first, without an order', async () => {
    const all = await lines('')
    expect(all).toHaveLength(SPANS)
    const days = [...new Set(all.map((span) => dayOf(span)))]
    expect(days).toEqual([...days].sort((a, b) => Number(b - a)))
    expect(days.length).toBeGreaterThanOrEqual(4)
  })

  test('stops at its limit, wherever it is, and keeps to its time', async () => {
    expect(await lines('limit=1')).toHaveLength(1)
    expect(await lines('limit=700')).toHaveLength(700)
    const of = await lines('from=-36h&to=-12h')
    expect(of).toHaveLength(SPANS / 4)
  })

  test('is sorted where an order is asked for', async () => {
    const ordered = (await lines('order=asc')).map(({ startTimeUnixNano }) => BigInt(startTimeUnixNano))
    expect(ordered).toEqual([...ordered].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
  })
})

test.each([
  ['status=error', SPANS / 10],
  ['kind=client', SPANS / 4],
  ['minDuration=100ms&maxDuration=109ms', 10],
  ['minDuration=0.1s&service=odd&maxDuration=0.109s', 5],
  ['spanId=000000000000000A', 1],
  ['attr.index=42', 1],
  ['attr.a.text=t3', SPANS / 5],
  ['attr.flag=true&attr.a.text=t0', SPANS / 10],
  ['attr.flag=yes', 0],
  ["attr.x=' or 1=1 --", 0],
  ['environment=production', 0],
])('%s finds %i spans', async (query, found) => {
  expect(await pages(`${query}&limit=400`)).toHaveLength(found)
})
