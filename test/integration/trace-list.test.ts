import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const TRACES = 60
const HOUR = 3_600_000_000_000n
let app: TestService
/** The newest first: an hour apart, so that they are of all windows of time. */
let ids: readonly string[]

interface TraceJson {
  readonly traceId: string
  readonly spanCount: number
}

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const now = BigInt(Date.now()) * 1_000_000n
  ids = Array.from({ length: TRACES }, () => randomBytes(16).toString('hex'))
  const spans = ids.flatMap((traceId, index) => {
    const root = randomBytes(8).toString('hex')
    const at = (nanos: bigint) => String(now - BigInt(index) * 6n * HOUR - nanos)
    const service = index % 2 === 0 ? 'even' : 'odd'
    const span = (fields: object) => ({
      traceId,
      spanId: randomBytes(8).toString('hex'),
      name: 'call',
      service,
      ...fields,
    })
    return [
      span({ spanId: root, name: `root ${index}`, startTimeUnixNano: at(1000n), durationMs: 5 }),
      span({ parentSpanId: root, startTimeUnixNano: at(0n), status: index % 5 === 0 ? 'error' : 'ok' }),
      // Of an hour before: a trace is as new as its newest span that matches.
      span({ parentSpanId: root, name: 'early', startTimeUnixNano: at(HOUR) }),
    ]
  })
  await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify(spans))
  await eventually(async () =>
    expect(await app.query('select count(*)::int as n from spans')).toEqual([{ n: 3 * TRACES }]),
  )
})
afterAll(() => app?.close())

async function page(query: string) {
  const answer = await app.get(`/api/v1/traces?${query}`)
  const body = (await answer.json()) as { data: TraceJson[]; nextCursor: string | null; detail?: string }
  return { status: answer.status, ...body }
}

async function pages(query: string): Promise<string[]> {
  const all: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { data, nextCursor }: Awaited<ReturnType<typeof page>> = await page(
      `${query}${cursor && `&cursor=${cursor}`}`,
    )
    all.push(...data.map(({ traceId }) => traceId))
    cursor = nextCursor
  }
  return all
}

const every = (count: number) => ids.filter((_, index) => index % count === 0)

describe('traces', () => {
  test('are listed with what they are as a whole, the newest first', async () => {
    const { data } = await page('limit=2')
    expect(data).toMatchObject([
      { traceId: ids[0], name: 'root 0', service: 'even', spanCount: 3, errorCount: 1, services: ['even'] },
      { traceId: ids[1], name: 'root 1' },
    ])
  })

  test.each([1000, 7, 59, 60, 1])('are each there once over pages of %i', async (limit) => {
    expect(await pages(`limit=${limit}`)).toEqual(ids)
  })

  test.each<[string, () => readonly string[]]>([
    ['status=error', () => every(5)],
    ['service=even', () => every(2)],
    ['name=root%207', () => [ids[7] ?? '']],
    ['name=early&service=even', () => every(2)],
    ['from=-13h', () => ids.slice(0, 3)],
    ['name=nothing', () => []],
  ])('that match %s are all found', async (query, expected) => {
    expect(await pages(`${query}&limit=11`)).toEqual(expected())
  })
})

describe('all traces', () => {
  const read = async (query: string, headers = {}) => {
    const answer = await fetch(`${app.service.url}/api/v1/traces?${query}`, { headers })
    return {
      type: answer.headers.get('content-type') ?? '',
      lines: (await answer.text()).trimEnd().split(/\r?\n/),
    }
  }

  test('come as NDJSON, without a cursor', async () => {
    const { type, lines } = await read('', { accept: 'application/x-ndjson' })
    expect(type).toContain('application/x-ndjson')
    expect(lines.map((line) => (JSON.parse(line) as TraceJson).traceId)).toEqual(ids)
    const some = await read('format=ndjson&service=even&limit=3')
    expect(some.lines.map((line) => (JSON.parse(line) as TraceJson).traceId)).toEqual(every(2).slice(0, 3))
    const { nextCursor } = await page('limit=5')
    expect((await page(`format=ndjson&cursor=${nextCursor}`)).detail).toBe(
      'cursor goes with format=json only',
    )
  })

  test('come as CSV', async () => {
    const { type, lines } = await read('format=csv')
    expect(type).toContain('text/csv')
    const [head, ...rows] = lines
    expect(head).toMatch(/^traceId,startTimeUnixNano,durationNs,name,/)
    expect(rows.map((row) => row.slice(0, 32))).toEqual(ids)
    expect(rows[0]).toContain(',root 0,even,"[""even""]",3,1,')
  })
})

test.each([
  ['cursor=nonsense', 'must be the nextCursor'],
  ['format=parquet', 'format must be one of json, ndjson, csv'],
  ['limit=0', 'limit'],
])('%s is refused with what would be right', async (query, detail) => {
  const answer = await page(query)
  expect(answer.status).toBe(400)
  expect(answer.detail).toContain(detail)
})

test('a cursor is of use for its own query alone', async () => {
  const { nextCursor } = await page('service=even&limit=5')
  expect((await page(`service=odd&limit=5&cursor=${nextCursor}`)).detail).toContain('of another query')
  const spans = await app.get(`/api/v1/spans?service=even&cursor=${nextCursor}`)
  expect(spans.status).toBe(400)
})
