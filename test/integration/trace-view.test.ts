import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let app: TestService

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
})
afterAll(() => app?.close())

const START = BigInt(Date.now()) * 1_000_000n

interface SpanJson {
  readonly name: string
  readonly depth: number
  readonly [member: string]: unknown
}

/** `[name, parent, more]`: each starts a millisecond after the one before it. */
type Draft = readonly [name: string, parent: string | undefined, more?: object]

const idOf = (name: string) => Buffer.from(name.padEnd(8, '_')).toString('hex')

async function store(drafts: readonly Draft[], logs: readonly object[] = []): Promise<string> {
  const traceId = randomBytes(16).toString('hex')
  const spans = drafts.map(([name, parent, more], index) => ({
    traceId,
    spanId: idOf(name),
    parentSpanId: parent && idOf(parent),
    name,
    startTimeUnixNano: String(START + BigInt(index) * 1_000_000n),
    durationMs: 100,
    service: 'bot',
    ...more,
  }))
  for (const log of logs) {
    const record = JSON.stringify({ traceId, ...log })
    await app.redis.xadd(`${app.prefix}:logs`, '*', 'json', record)
  }
  for (let from = 0; from < spans.length; from += 1000)
    await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify(spans.slice(from, from + 1000)))
  await eventually(async () => {
    const [counts] = await app.query(
      `select (select count(*)::int from spans where trace_id = $1) as spans,
              (select count(*)::int from log_records where trace_id = $1) as logs`,
      [traceId],
    )
    expect(counts).toEqual({ spans: spans.length, logs: logs.length })
  })
  return traceId
}

async function view(traceId: string) {
  const answer = await app.get(`/api/v1/traces/${traceId}`)
  expect(answer.status).toBe(200)
  return (await answer.json()) as Record<string, unknown> & { readonly spans: readonly SpanJson[] }
}

const asTree = (spans: readonly SpanJson[]) =>
  spans.map(({ name, depth }) => `${'-'.repeat(depth)}${name}`).join(' ')

const said = (role: string, content: string) => ({ role, parts: [{ type: 'text', content }] })
const messages = (role: string, content: string) => JSON.stringify([said(role, content)])

describe('a trace', () => {
  test('has its spans as its tree is read, and what it took as a whole', async () => {
    const call = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'gpt-4o-mini',
      'gen_ai.usage.input_tokens': 1000,
      'gen_ai.usage.output_tokens': 100,
    }
    const traceId = await store([
      ['request', undefined],
      ['agent', 'request', { attributes: { ...call, 'gen_ai.operation.name': 'invoke_agent' } }],
      ['call', 'agent', { attributes: call }],
      ['other', 'request', { status: 'error' }],
      ['tool', 'agent'],
      ['lost', 'missing'],
    ])
    const { spans, ...trace } = await view(traceId)
    expect(asTree(spans)).toBe('request -agent --call --tool -other lost')
    expect(trace).toMatchObject({
      traceId,
      name: 'request',
      service: 'bot',
      spanCount: 6,
      errorCount: 1,
      inputTokens: 1000,
      outputTokens: 100,
      cost: 0.00021,
    })
    expect(spans[2]?.genAi).toMatchObject({ model: 'gpt-4o-mini', cost: 0.00021, costIsComputed: true })
    expect(spans[0]).not.toHaveProperty('genAi')
    expect(spans[0]).not.toHaveProperty('conversation')
  })

  test('shows as a conversation what was said, in attributes, in events and in log records', async () => {
    const event = (eventName: string, body: object, span: string) => ({ eventName, body, spanId: idOf(span) })
    const traceId = await store(
      [
        [
          'now',
          undefined,
          {
            attributes: {
              'gen_ai.system_instructions': '[{"type":"text","content":"Be brief."}]',
              'gen_ai.input.messages': messages('user', 'Hello?'),
              'gen_ai.output.messages': messages('assistant', 'Hello!'),
            },
          },
        ],
        [
          'events',
          'now',
          {
            events: [
              {
                timeUnixNano: String(START),
                name: 'gen_ai.content.prompt',
                attributes: { 'gen_ai.prompt': 'Hello?' },
              },
              {
                timeUnixNano: String(START),
                name: 'gen_ai.content.completion',
                attributes: { 'gen_ai.completion': 'Hello!' },
              },
            ],
          },
        ],
        ['logs', 'now'],
        ['silent', 'now'],
      ],
      [
        event('gen_ai.user.message', { content: 'Hello?' }, 'logs'),
        event('gen_ai.choice', { index: 0, finish_reason: 'stop', message: { content: 'Hello!' } }, 'logs'),
        { body: 'no message', spanId: idOf('silent') },
      ],
    )
    const { spans } = await view(traceId)
    const conversation = { input: [said('user', 'Hello?')], output: [said('assistant', 'Hello!')] }
    expect(spans.map((span) => span.conversation)).toEqual([
      { ...conversation, input: [said('system', 'Be brief.'), said('user', 'Hello?')] },
      conversation,
      { ...conversation, output: [{ ...said('assistant', 'Hello!'), finishReason: 'stop' }] },
      undefined,
    ])
    // Kept beside the hot tables.
    const hot = await app.query(
      `select (select string_agg(attributes::text, '') from spans where trace_id = $1) ||
              (select string_agg(coalesce(body, ''), '') from log_records where trace_id = $1 and has_content) as hot`,
      [traceId],
    )
    expect(JSON.stringify(hot)).not.toContain('Hello')
    const logs = await (await app.get(`/api/v1/logs?traceId=${traceId}&format=ndjson`)).text()
    expect(logs).toContain('Hello?')
  })

  test('shows the evaluations of its spans and of itself', async () => {
    const result = (name: string) => ({ 'gen_ai.evaluation.name': name, 'gen_ai.evaluation.score.value': 1 })
    const traceId = await store(
      [['call', undefined]],
      [
        { eventName: 'gen_ai.evaluation.result', spanId: idOf('call'), attributes: result('relevance') },
        { eventName: 'gen_ai.evaluation.result', attributes: result('whole') },
      ],
    )
    const trace = await view(traceId)
    expect(trace.evaluations).toMatchObject([{ name: 'whole', score: 1 }])
    expect(trace.spans[0]?.evaluations).toMatchObject([{ name: 'relevance', score: 1 }])
  })

  test('of more spans than are shown says so', async () => {
    const traceId = await store(
      Array.from({ length: 10_001 }, (_, index): Draft => [`s${index}`, index === 0 ? undefined : 's0']),
    )
    const trace = await view(traceId)
    expect(trace).toMatchObject({ spanCount: 10_001, spansAreCut: true })
    expect(trace.spans).toHaveLength(10_000)
  })

  test('gives what was said and found to the first of the spans that share an id', async () => {
    const result = { 'gen_ai.evaluation.name': 'n', 'gen_ai.evaluation.score.value': 1 }
    const traceId = await store(
      [
        ['same', undefined],
        ['same', undefined],
      ],
      [
        { eventName: 'gen_ai.user.message', body: { content: 'Hello?' }, spanId: idOf('same') },
        { eventName: 'gen_ai.evaluation.result', spanId: idOf('same'), attributes: result },
      ],
    )
    const { spans } = await view(traceId)
    expect(spans.map((span) => [Boolean(span.conversation), Boolean(span.evaluations)])).toEqual([
      [true, true],
      [false, false],
    ])
  })

  test('with more messages than are shown says so', async () => {
    const content = 'x'.repeat(900_000)
    const traceId = await store(
      [['call', undefined]],
      Array.from({ length: 12 }, () => ({
        eventName: 'gen_ai.user.message',
        body: { content },
        spanId: idOf('call'),
      })),
    )
    const trace = await view(traceId)
    expect(trace.messagesAreCut).toBe(true)
    const conversation = trace.spans[0]?.conversation as { readonly input: readonly unknown[] } | undefined
    expect(conversation?.input).toHaveLength(9)
  })

  test('is read over one connection: as many at once as there are do not wait for each other', async () => {
    const small = await startTestService({ BATCH_MAX_AGE_MS: '5', DATABASE_POOL_MAX: '2' })
    try {
      const spanId = idOf('call')
      const traceId = randomBytes(16).toString('hex')
      const span = { traceId, spanId, name: 'call', startTimeUnixNano: String(START) }
      const message = { traceId, spanId, eventName: 'gen_ai.user.message', body: { content: 'Hello?' } }
      await small.redis.xadd(`${small.prefix}:traces`, '*', 'json', JSON.stringify(span))
      await small.redis.xadd(`${small.prefix}:logs`, '*', 'json', JSON.stringify(message))
      await eventually(async () => {
        const stored = await small.query('select from spans, log_records')
        expect(stored).toHaveLength(1)
      })
      const path = `/api/v1/traces/${traceId}`
      const answers = await Promise.all(Array.from({ length: 20 }, () => small.get(path)))
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
      await Promise.all(answers.map((answer) => answer.text()))
    } finally {
      await small.close()
    }
  })
})

test('the spans of a trace alone come as NDJSON', async () => {
  const traceId = await store([
    ['root', undefined],
    ['call', 'root'],
  ])
  const lines = await app.get(`/api/v1/traces/${traceId}?format=ndjson`)
  expect(lines.headers.get('content-type')).toContain('application/x-ndjson')
  const spans = (await lines.text()).trimEnd().split('\n')
  expect(spans.map((line) => JSON.parse(line) as SpanJson)).toEqual((await view(traceId)).spans)
})

test('a trace that is not there is 404, and what is no id 400', async () => {
  const missing = await app.get(`/api/v1/traces/${'0123456789abcdef'.repeat(2)}`)
  expect(missing.status).toBe(404)
  expect(await missing.json()).toMatchObject({ title: 'No such trace' })
  expect((await app.get('/api/v1/traces/xyz')).status).toBe(400)
})
