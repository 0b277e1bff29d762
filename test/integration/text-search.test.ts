import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const BODIES = [
  'connection refused by upstream',
  'Connection reset by peer',
  'upstream timed out after 30s, connection closed',
  'payment refused: insufficient funds',
  'gpt-4o answered in 830ms',
  'user ana@example.com signed in from https://app.example.com/login?next=/home',
  'café au lait für Zoë',
  '100% of 5_000 \\ done',
  '数据库 连接 失败',
  'it’s fine, "really" fine',
  { event: 'boom', nested: { reason: 'disk full' } },
  `${'x'.repeat(120_000)} needle`,
]
let app: TestService

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const records = BODIES.map((body, index) => ({ body, service: `s${index}` }))
  await app.redis.xadd(`${app.prefix}:logs`, '*', 'json', JSON.stringify([...records, { service: 'empty' }]))
  await eventually(async () => {
    const [row] = await app.query('select count(*)::int as count from log_records')
    expect(row).toEqual({ count: BODIES.length + 1 })
  })
})
afterAll(() => app?.close())

async function ask(words: Record<string, string>) {
  const answer = await app.get(`/api/v1/logs?${new URLSearchParams(words)}`)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

/** The numbers of the bodies found. */
async function found(words: Record<string, string>): Promise<number[]> {
  const { status, body } = await ask(words)
  expect(body, JSON.stringify(body)).not.toHaveProperty('detail')
  expect(status).toBe(200)
  const services = (body.data as { service: string }[]).map(({ service }) => Number(service.slice(1)))
  return services.sort((a, b) => a - b)
}

describe('full text', () => {
  test.each([
    ['connection', [0, 1, 2]],
    ['CONNECTION', [0, 1, 2]],
    ['connection refused', [0]],
    ['"by peer"', [1]],
    ['"peer by"', []],
    ['refused OR reset', [0, 1, 3]],
    ['refused upstream OR reset peer', [0, 1]],
    ['refused -upstream', [3]],
    ['refused OR -connection -needle', [0, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
    ['connection -"timed out" -reset', [0]],
    ['conn*', [0, 1, 2]],
    ['insuff* fun*', [3]],
    ['conn', []],
    ['or', []],
    ['gpt-4o', [4]],
    ['"gpt-4o answered"', [4]],
    ['ana@example.com', [5]],
    ['app.example.com', [5]],
    ['CAFÉ', [6]],
    ['zoë', [6]],
    ['连接', [8]],
    ['fine "it’s fine"', [9]],
    ['boom', [10]],
    ['"disk full"', [10]],
    ["it's'); drop table spans; --fine", []],
    ["o'brien\\*", []],
    ['"never closed', []],
  ])('%s finds %j', async (q, numbers) => {
    expect(await found({ q })).toEqual(numbers)
  })

  test('without a word finds all that do not have it, of those that have a body', async () => {
    expect(await found({ q: '-connection -needle' })).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  test('looks at the first 100,000 characters of a body', async () => {
    expect(await found({ q: 'needle' })).toEqual([])
    expect(await found({ contains: 'needle', from: '-1h' })).toEqual([11])
  })

  test.each([
    ['', 'q must have a word'],
    ['   ', 'q must have a word'],
    ['OR', 'one on each side of OR'],
    ['a OR', 'one on each side of OR'],
    ['!!!', 'no letter or digit'],
    ['boom "---"', 'no letter or digit'],
    ['-', 'no letter or digit'],
    ['*', 'no letter or digit'],
  ])('%j is refused: %s', async (q, detail) => {
    const { status, body } = await ask({ q })
    expect({ status, parameter: body.parameter, detail: body.detail }).toEqual({
      status: 400,
      parameter: 'q',
      detail: expect.stringContaining(detail),
    })
  })

  test('goes with all other words', async () => {
    expect(await found({ q: 'connection', service: 's1' })).toEqual([1])
    expect(await found({ q: 'connection', level: 'error' })).toEqual([])
  })

  test('of counts by level is the same', async () => {
    const answer = await app.get('/api/v1/logs/levels?q=connection')
    expect(await answer.json()).toMatchObject({ data: [{ level: null, count: 3 }] })
  })
})

describe('a substring', () => {
  test.each([
    ['onnection re', [0, 1]],
    ['REFUSED', [0, 3]],
    ['100%', [7]],
    ['5_0', [7]],
    ['5x0', []],
    ['\\ d', [7]],
    ['%', [7]],
    ['"disk full"', [10]],
  ])('%s is found in %j, as it is', async (contains, numbers) => {
    expect(await found({ contains, from: '-1h' })).toEqual(numbers)
  })

  test('needs a time range to look through', async () => {
    const { status, body } = await ask({ contains: 'boom' })
    expect(status).toBe(400)
    expect(body).toMatchObject({ parameter: 'contains', detail: expect.stringContaining('give from') })
  })
})
