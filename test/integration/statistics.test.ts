import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'
import { withinTwoPercent } from '../helpers/within-two-percent.ts'

const CALLS = 200
const MINUTE = 60_000_000_000n
let app: TestService
/** The beginning of a minute, some minutes ago. */
const START = ((BigInt(Date.now()) * 1_000_000n) / MINUTE) * MINUTE - 10n * MINUTE

const modelOf = (index: number) => (index % 4 === 0 ? 'gpt-4o' : 'gpt-4o-mini')

/** Calls of two models, half of them in the first minute, half in the third; and agents around them, which are none. */
function call(index: number) {
  const minute = index % 2 === 0 ? 0n : 2n
  return {
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    name: `chat ${modelOf(index)}`,
    service: index % 10 === 0 ? 'batch' : 'bot',
    kind: 'client',
    status: index % 20 === 0 ? 'error' : 'ok',
    startTimeUnixNano: String(START + minute * MINUTE + BigInt(index)),
    durationMs: index + 1,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': modelOf(index),
      'gen_ai.usage.input_tokens': 1000,
      'gen_ai.usage.output_tokens': 100,
      'gen_ai.response.time_to_first_chunk': 0.25,
      'user.id': `user-${index % 2}`,
    },
  }
}

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  const calls = Array.from({ length: CALLS }, (_, index) => call(index))
  const agents = calls.slice(0, 10).map((span) => ({
    ...span,
    spanId: randomBytes(8).toString('hex'),
    name: 'agent',
    attributes: { ...span.attributes, 'gen_ai.operation.name': 'invoke_agent' },
  }))
  await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify([...calls, ...agents]))
  const levels = ['info', 'info', 'info', 'error']
  const logs = levels.map((level, index) => ({
    level,
    service: 'bot',
    timeUnixNano: String(START + BigInt(index) * MINUTE),
  }))
  await app.redis.xadd(`${app.prefix}:logs`, '*', 'json', JSON.stringify(logs))
  await eventually(async () => {
    const [counts] = await app.query(
      'select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs',
    )
    expect(counts).toEqual({ spans: CALLS + 10, logs: 4 })
  })
})
afterAll(() => app?.close())

async function get(path: string) {
  const answer = await app.get(`/api/v1/${path}`)
  return {
    status: answer.status,
    ...((await answer.json()) as { data: Record<string, unknown>[]; detail?: string }),
  }
}

describe('usage of models', () => {
  test('is calls, tokens, cost, latency and errors by model, the dearest first', async () => {
    const { data } = await get('llm/usage')
    expect(data.map(({ model }) => model)).toEqual(['gpt-4o', 'gpt-4o-mini'])
    expect(data[0]).toEqual({
      model: 'gpt-4o',
      calls: 50,
      errorCount: 10,
      errorRate: 0.2,
      inputTokens: 50_000,
      outputTokens: 5000,
      cachedTokens: 0,
      cacheCreationTokens: 0,
      reasoningTokens: 0,
      cost: 0.175,
      callsWithoutCost: 0,
      durationNs: {
        p50: withinTwoPercent(97_000_000),
        p90: withinTwoPercent(177_000_000),
        p95: withinTwoPercent(189_000_000),
        p99: withinTwoPercent(197_000_000),
      },
      timeToFirstTokenNs: { p50: 250_000_000, p90: 250_000_000, p95: 250_000_000, p99: 250_000_000 },
    })
  })

  test('by several words, of some, and over time', async () => {
    const byUser = await get('llm/usage?by=service,user&model=gpt-4o-mini')
    expect(byUser.data.map(({ service, user, calls }) => [service, user, calls]).sort()).toEqual([
      ['batch', 'user-0', 10],
      ['bot', 'user-0', 40],
      ['bot', 'user-1', 100],
    ])
    const overTime = await get(`llm/usage?by=&step=1m`)
    expect(overTime.data.map(({ timeUnixNano, calls }) => [timeUnixNano, calls])).toEqual([
      [String(START), 100],
      [String(START + 2n * MINUTE), 100],
    ])
    expect((await get('llm/usage?to=-1d&by=')).data).toMatchObject([{ calls: 0, cost: 0, durationNs: null }])
  })
})

test('statistics of spans are counts, errors and durations by any of their words', async () => {
  const { data } = await get('traces/stats?by=name,kind&service=bot')
  expect(data.map(({ name, kind, count }) => [name, kind, count])).toEqual([
    ['chat gpt-4o-mini', 'client', 140],
    ['chat gpt-4o', 'client', 40],
    ['agent', 'client', 9],
  ])
  expect((await get('traces/stats?by=status')).data).toMatchObject([
    { status: 'ok', errorRate: 0 },
    { status: 'error', errorCount: 11, errorRate: 1 },
  ])
})

test('a rate is by the second of the time that is asked for, or of what of it is in the step', async () => {
  const rates = async (query: string) =>
    (await get(`traces/stats?by=service&service=bot&${query}`)).data.map(({ rate }) => rate)
  expect(await rates('')).toEqual([null])
  expect(await rates(`from=${START}&to=${START + 10n * MINUTE}`)).toEqual([189 / 600])
  expect(await rates(`step=1m`)).toEqual([84 / 60, 105 / 60])
  expect(await rates(`step=1m&to=${START + MINUTE / 2n}`)).toEqual([84 / 30])
  const [untilNow] = await rates(`from=${START}`)
  const secondsUntilNow = Number(BigInt(Date.now()) * 1_000_000n - START) / 1e9
  expect(untilNow).toBeCloseTo(189 / secondsUntilNow, 2)
})

test('log records are counted by level, and by step', async () => {
  expect((await get('logs/levels')).data).toEqual([
    { level: 'info', count: 3 },
    { level: 'error', count: 1 },
  ])
  const byStep = (await get('logs/levels?step=2m&level=info')).data
  expect(byStep.reduce((sum, { count }) => sum + Number(count), 0)).toBe(4)
  expect(byStep.length).toBeGreaterThan(1)
})

test.each([
  ['llm/usage?by=color', 'by must be any of model, provider'],
  ['llm/usage?step=fast', 'step must be a duration'],
  ['logs/levels?step=1ms', 'at least a second'],
  ['traces/stats?by=service;drop table spans', 'by must be any of service'],
  ['llm/usage?level=error', 'level'],
])('%s is refused with what would be right', async (path, detail) => {
  const answer = await get(path)
  expect(answer.status).toBe(400)
  expect(answer.detail).toContain(detail)
})
