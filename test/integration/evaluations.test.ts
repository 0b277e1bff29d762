import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let app: TestService

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
  await sendCalls()
})
afterAll(() => app?.close())

const now = () => `${Date.now()}000000`
const hex = (bytes: number) => randomBytes(bytes).toString('hex')

interface Call {
  readonly traceId: string
  readonly spanId: string
  readonly responseId: string
}

async function add(signal: 'traces' | 'logs', ...records: object[]): Promise<void> {
  await app.redis.xadd(`${app.prefix}:${signal}`, '*', 'json', JSON.stringify(records))
}

function call(model: string, prompt: string, more: object = {}): Call & { readonly span: object } {
  const ids = { traceId: hex(16), spanId: hex(8), responseId: `resp_${hex(8)}` }
  const attributes = {
    'gen_ai.request.model': model,
    'gen_ai.prompt.name': prompt,
    'gen_ai.prompt.version': '1',
    'gen_ai.response.id': ids.responseId,
    'gen_ai.conversation.id': 'c1',
  }
  return {
    ...ids,
    span: { ...ids, name: 'chat', startTimeUnixNano: now(), service: 'bot', attributes, ...more },
  }
}

function result(name: string, score: number | undefined, label?: string, more: object = {}) {
  return {
    'gen_ai.evaluation.name': name,
    ...(score !== undefined && { 'gen_ai.evaluation.score.value': score }),
    ...(label !== undefined && { 'gen_ai.evaluation.score.label': label }),
    ...more,
  }
}

const event = (attributes: object, more: object = {}) => ({
  eventName: 'gen_ai.evaluation.result',
  service: 'judge',
  attributes,
  ...more,
})

/** Five evaluations of three calls, each told in another way. */
async function sendCalls(): Promise<void> {
  const a = call('gpt-4o', 'greeting')
  const b = call('gpt-4o', 'farewell')
  const timeUnixNano = now()
  const c = call('claude', 'greeting', {
    events: [
      { timeUnixNano, name: 'exception', attributes: {} },
      { timeUnixNano, name: 'gen_ai.evaluation.result', attributes: result('relevance', 0.2, 'fail') },
      { timeUnixNano, name: 'gen_ai.evaluation.result', attributes: result('tone', undefined, 'polite') },
    ],
  })
  await add('logs', event(result('relevance', 0.8, 'pass', { 'gen_ai.evaluation.explanation': 'fine' }), a))
  await add('logs', event(result('relevance', 0.6, 'pass', { 'gen_ai.response.id': b.responseId })))
  await add('traces', a.span, b.span, c.span)
  await add('logs', event(result('relevance', undefined, undefined, { 'error.type': 'timeout' }), a))
  await eventually(async () => {
    const [counts] = await app.query(
      `select (select count(*)::int from spans) as spans, (select count(*)::int from evaluations) as evaluations`,
    )
    expect(counts).toEqual({ spans: 3, evaluations: 5 })
  })
}

const get = async (path: string) => {
  const answer = await app.get(`/api/v1/evaluations${path}`)
  return {
    status: answer.status,
    ...((await answer.json()) as { data: Record<string, unknown>[]; detail?: string }),
  }
}

test('an evaluation is stored with the call that it judges, however it names it', async () => {
  const { data } = await get('?name=relevance&label=pass')
  expect(data).toHaveLength(2)
  const [byAnswer, bySpan] = data
  expect(bySpan).toMatchObject({
    score: 0.8,
    explanation: 'fine',
    service: 'bot',
    model: 'gpt-4o',
    promptName: 'greeting',
    promptVersion: '1',
    sessionId: 'c1',
  })
  expect(byAnswer).toMatchObject({ score: 0.6, model: 'gpt-4o', promptName: 'farewell' })
  expect(byAnswer?.traceId).toMatch(/^[0-9a-f]{32}$/)
  expect((await get('?model=claude')).data.map(({ name }) => name).sort()).toEqual(['relevance', 'tone'])
})

describe('evaluations are averaged', () => {
  test('by name', async () => {
    const { data } = await get('/stats')
    expect(data).toEqual([
      {
        name: 'relevance',
        count: 4,
        scored: 3,
        average: expect.closeTo(1.6 / 3),
        min: 0.2,
        max: 0.8,
        labels: { pass: 2, fail: 1 },
        errors: 1,
      },
      {
        name: 'tone',
        count: 1,
        scored: 0,
        average: null,
        min: null,
        max: null,
        labels: { polite: 1 },
        errors: 0,
      },
    ])
  })

  test('by model and prompt', async () => {
    const { data } = await get('/stats?by=name,model,prompt&name=relevance')
    const averages = data.map(({ model, prompt, average }) => [model, prompt, average])
    expect(averages).toHaveLength(3)
    expect(averages).toEqual(
      expect.arrayContaining([
        ['gpt-4o', 'greeting', 0.8],
        ['gpt-4o', 'farewell', 0.6],
        ['claude', 'greeting', 0.2],
      ]),
    )
  })

  test('of a time, a service, a prompt', async () => {
    expect((await get('/stats?from=-1m&service=bot&prompt=farewell')).data).toMatchObject([{ average: 0.6 }])
    expect((await get('/stats?to=-1h')).data).toEqual([])
  })
})

test('feedback that names the answer, by a span or a log record, is that of the call, and shown in its trace', async () => {
  const judged = call('gpt-4o', 'rated')
  const { responseId } = judged
  const feedback = { ...result('thumbs', 1), 'gen_ai.response.id': responseId }
  const judge = { traceId: hex(16), spanId: hex(8), startTimeUnixNano: now(), service: 'judge' }
  await add('traces', judged.span, { ...judge, name: 'gen_ai.evaluation.result', attributes: feedback })
  await add('logs', event(feedback, { traceId: hex(16) }))
  await eventually(async () => expect((await get('?name=thumbs')).data).toHaveLength(2))
  for (const found of (await get('?name=thumbs')).data)
    expect(found).toMatchObject({
      traceId: judged.traceId,
      spanId: judged.spanId,
      model: 'gpt-4o',
      promptName: 'rated',
    })
  const trace = (await (await app.get(`/api/v1/traces/${judged.traceId}`)).json()) as { spans: object[] }
  expect(trace.spans).toMatchObject([{ evaluations: [{ name: 'thumbs' }, { name: 'thumbs' }] }])
})

test('scores beyond all measure do not spoil the averages', async () => {
  await add(
    'logs',
    event(result('huge', 1.7e308, 'odd')),
    event(result('huge', 1.7e308, 'odd')),
    event(result('huge', 3)),
  )
  await eventually(async () =>
    expect((await get('/stats?name=huge')).data).toMatchObject([{ count: 3, scored: 1, average: 3 }]),
  )
})

test.each([
  ['/stats?by=color', 'by must be any of name, model'],
  ['?from=yesterday', 'from must be a time'],
  ['?traceId=xyz', 'traceId'],
  ['?colour=red', 'colour is not a parameter of this route'],
])('%s is refused with what would be right', async (path, detail) => {
  const answer = await get(path)
  expect(answer.status).toBe(400)
  expect(answer.detail).toContain(detail)
})
