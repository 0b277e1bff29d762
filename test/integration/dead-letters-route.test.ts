import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { testRedisUrl } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let service: TestService
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

beforeAll(async () => {
  service = await startTestService()
  const { redis, prefix } = service
  await redis.xadd(
    `${prefix}:traces`,
    '5-1',
    'json',
    JSON.stringify([{ name: 'no ids' }, { name: 'no ids either' }]),
  )
  await redis.xadd(`${prefix}:logs`, '*', 'json', BYTES)
  await redis.xadd(`${prefix}:logs`, '*', 'otlp', BYTES, 'service', 'api')
  await redis.xadd(`${prefix}:logs`, '*', 'message', 'good')
  await eventually(async () => {
    const [counts] = await service.query(
      'select (select count(*)::int from dead_letters) as letters, (select count(*)::int from log_records) as rows',
    )
    expect(counts).toEqual({ letters: 4, rows: 1 })
  })
  await service.query(
    `update dead_letters set dead_lettered_at = now() - interval '2 hours' where signal = 'traces'`,
  )
})
afterAll(() => service?.close())

type Letter = Record<string, unknown>
const page = async (query = '') =>
  ((await (await service.get(`/api/v1/dead-letters${query}`)).json()) as { data: Letter[] }).data

describe('GET /api/v1/dead-letters', () => {
  test('answers a page of JSON, newest first', async () => {
    const letters = await page()
    expect(letters.map(({ signal }) => signal)).toEqual(['logs', 'logs', 'traces', 'traces'])
    expect(letters.at(-1)).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      deadLetteredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      ...{ signal: 'traces', stream: `${service.prefix}:traces`, entryId: '5-1', recordIndex: 0 },
      ...{ reason: 'missing_field', detail: expect.stringContaining('start') },
      ...{ payloadForm: 'record', payloadBytes: 17, payloadKept: true },
    })
    const body = await (await service.get('/api/v1/dead-letters?limit=1')).json()
    expect(body).toMatchObject({ data: [{ signal: 'logs' }], nextCursor: null })
  })

  test('answers NDJSON by format and by Accept', async () => {
    for (const [query, accept] of [
      ['?format=ndjson', '*/*'] as const,
      ['', 'application/x-ndjson'] as const,
    ]) {
      const response = await fetch(new URL(`/api/v1/dead-letters${query}`, service.service.url), {
        headers: { accept },
      })
      expect(response.headers.get('content-type')).toContain('application/x-ndjson')
      const lines = (await response.text()).trimEnd().split('\n')
      expect(lines.map((line) => JSON.parse(line).signal)).toEqual(['logs', 'logs', 'traces', 'traces'])
    }
  })

  test('filters by reason, signal and time', async () => {
    expect(await page('?reason=not_json')).toMatchObject([
      { signal: 'logs', payloadForm: 'json', recordIndex: -1 },
    ])
    expect(await page('?signal=traces&limit=1')).toHaveLength(1)
    expect(await page('?from=-1h')).toMatchObject([{ signal: 'logs' }, { signal: 'logs' }])
    expect(await page('?to=-1h')).toMatchObject([{ signal: 'traces' }, { signal: 'traces' }])
    expect(await page('?from=-3h&to=-1h&signal=logs')).toEqual([])
  })

  test.each(['json', 'ndjson'])(
    'has the bytes of payloads, as base64, only when asked to, as %s',
    async (format) => {
      const body = await (
        await service.get(`/api/v1/dead-letters?payload=true&signal=logs&format=${format}`)
      ).text()
      const letters: Letter[] =
        format === 'json'
          ? JSON.parse(body).data
          : body
              .trimEnd()
              .split('\n')
              .map((line) => JSON.parse(line))
      const payloads = letters.map(({ payload }) => Buffer.from(String(payload), 'base64'))
      expect(payloads[1]?.equals(BYTES)).toBe(true)
      expect(payloads[0]?.includes(BYTES)).toBe(true)
      expect(payloads[0]?.subarray(0, 4).toString()).toBe('*4\r\n')
      expect((await page())[0]).not.toHaveProperty('payload')
    },
  )

  test('hides purged letters unless asked', async () => {
    const [letter] = await page('?reason=not_json')
    const hidden = `'${letter?.id}'`
    await service.query(
      `update dead_letters set purged_at = now(), payload = null, detail = '' where letter_id = ${hidden}`,
    )
    expect(await page('?reason=not_json')).toEqual([])
    expect(await page('?reason=not_json&purged=true&payload=true')).toEqual([
      { ...letter, detail: '', payloadKept: false, purgedAt: expect.any(String) },
    ])
  })

  test.each([
    ['?reasn=not_json', 'reasn is not a parameter'],
    ['?reason=nonsense', 'reason'],
    ['?signal=spans', 'signal'],
    ['?from=yesterday', 'RFC 3339'],
    ['?limit=0', 'limit'],
    ['?limit=10001', 'format=ndjson'],
    ['?payload=maybe', 'payload'],
    ['?format=xml', 'format'],
    ['?service=api', 'service is not a parameter'],
  ])('refuses %s with a problem that names the parameter', async (query, detail) => {
    const response = await service.get(`/api/v1/dead-letters${query}`)
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toContain('application/problem+json')
    expect(((await response.json()) as { detail: string }).detail).toContain(detail)
  })
})

test('payloads of any sum are answered in bounded memory', async () => {
  await service.query(
    `insert into dead_letters (entry_ms, entry_seq, record_index, payload_bytes, stream, signal, reason, detail, payload_form, payload)
     select 1, n, 0, 4194304, 's', 'metrics', 'too_large', '', 'json', convert_to(repeat('x', 4194304), 'UTF8') from generate_series(1, 30) n`,
  )
  const env = { DATABASE_URL: service.databaseUrl, REDIS_URL: testRedisUrl(), HTTP_PORT: '0' }
  const limited = { ...env, NODE_OPTIONS: '--max-old-space-size=96' }
  const command = new RunningCommand(['serve', '--only', 'api'], { env: limited })
  try {
    await command.says(/"url":"http/)
    const url = /"url":"(http[^"]+)"/.exec(command.stderr)?.[1]
    const response = await fetch(`${url}/api/v1/dead-letters?signal=metrics&payload=true&format=ndjson`)
    let bytes = 0
    for await (const chunk of response.body ?? []) bytes += chunk.length
    expect(bytes).toBeGreaterThan((30 * 4_194_304 * 4) / 3)
  } finally {
    command.child.kill('SIGTERM')
  }
  expect((await command.finished).code).toBe(0)
})
