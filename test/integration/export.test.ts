import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const RECORDS = 1300
/** What CSV must quote, and what it must not lose. */
const HARD = 'a "quoted" text,\r\nof two lines; ünï 😀'
let app: TestService

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const now = Date.now()
  const records = Array.from({ length: RECORDS }, (_, index) => ({
    time: new Date(now - index).toISOString(),
    service: 'api',
    ...(index % 3 === 0 ? { body: HARD } : index % 3 === 1 ? { body: '' } : {}),
    attributes: { index, text: HARD },
  }))
  await app.redis.xadd(`${app.prefix}:logs`, '*', 'json', JSON.stringify(records))
  await eventually(async () =>
    expect(await app.query('select count(*)::int as n from log_records')).toEqual([{ n: RECORDS }]),
  )
})
afterAll(() => app?.close())

const rowsOf = (text: string) => parse(text, { columns: true }) as Record<string, string>[]

describe('CSV', () => {
  test.each<[string, Record<string, string>]>([
    ['/api/v1/logs?format=csv', {}],
    ['/api/v1/logs', { accept: 'text/csv' }],
  ])('of %s has every record, and what they say whole', async (path, headers) => {
    const answer = await fetch(new URL(path, app.service.url), { headers })
    expect(answer.headers.get('content-type')).toContain('text/csv')
    const rows = rowsOf(await answer.text())
    expect(rows).toHaveLength(RECORDS)
    expect(new Set(rows.map(({ attributes = '{}' }) => JSON.parse(attributes).index)).size).toBe(RECORDS)
    const bodies = rows.map(({ body }) => body)
    expect(bodies.filter((body) => body === HARD)).toHaveLength(Math.ceil(RECORDS / 3))
    for (const { attributes = '{}' } of rows) expect(JSON.parse(attributes).text).toBe(HARD)
  })

  test('tells an empty text from none', async () => {
    const text = await (await app.get('/api/v1/logs?format=csv&attr.index=1')).text()
    expect(text).toContain(',"",')
    expect(await (await app.get('/api/v1/logs?format=csv&attr.index=2')).text()).not.toContain(',"",')
  })

  test('of nothing is the line of names, for spans and points too', async () => {
    expect(await (await app.get('/api/v1/logs?format=csv&service=nobody')).text()).toMatch(
      /^timeUnixNano,.*,scopeVersion\r\n$/,
    )
    expect(await (await app.get('/api/v1/spans?format=csv')).text()).toMatch(/^traceId,spanId,.*\r\n$/)
    expect(await (await app.get('/api/v1/metrics/m/points?format=csv')).text()).toMatch(
      /^timeUnixNano,.*\r\n$/,
    )
  })
})

describe('compressed', () => {
  /** Without undici's own decompression. */
  const raw = async (path: string, encoding: string) => {
    const { request } = await import('node:http')
    return new Promise<{ headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
      const sent = request(
        new URL(path, app.service.url),
        { headers: { 'accept-encoding': encoding } },
        (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk) => chunks.push(chunk))
          answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(chunks) }))
          answer.on('error', reject)
        },
      )
      sent.on('error', reject).end()
    })
  }

  test.each(['json', 'ndjson', 'csv'])('%s says the same', async (format) => {
    const path = `/api/v1/logs?format=${format}&limit=1000&order=asc`
    const [plain, packed] = [await raw(path, 'identity'), await raw(path, 'br, gzip;q=0.8')]
    expect(plain.headers).not.toHaveProperty('content-encoding')
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept, accept-encoding' })
    expect(gunzipSync(packed.body)).toEqual(plain.body)
    expect(packed.body.length).toBeLessThan(plain.body.length / 3)
  })

  test.each(['gzip;q=0', 'gzip;q=0.000, deflate', 'deflate', '*'])(
    'is nothing for a client that accepts %s',
    async (encoding) => {
      expect((await raw('/api/v1/logs?limit=1', encoding)).headers).not.toHaveProperty('content-encoding')
    },
  )

  test('is no error: that comes as it is', async () => {
    await app.query('alter view log_view rename to log_view_away')
    try {
      const { headers, body } = await raw('/api/v1/logs', 'gzip')
      expect(headers).not.toHaveProperty('content-encoding')
      expect(JSON.parse(body.toString())).toMatchObject({ status: 500 })
    } finally {
      await app.query('alter view log_view_away rename to log_view')
    }
  })
})
