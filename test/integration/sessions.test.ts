import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let app: TestService
const START = BigInt(Date.now()) * 1_000_000n - 60_000_000_000n
let stored = 0

beforeAll(async () => {
  app = await startTestService({ BATCH_MAX_AGE_MS: '5' })
})
afterAll(() => app?.close())

interface Turn {
  readonly session: string
  readonly user?: string
  readonly second: number
  readonly question: string
  readonly answer: string
  readonly failed?: boolean
  /** The agent has instructions alone: what was said is in its calls. */
  readonly instructed?: boolean
}

/** A turn is an agent's trace: the agent and two calls, of which only the agent names the session. */
async function addTurn({
  session,
  user,
  second,
  question,
  answer,
  failed = false,
  instructed = false,
}: Turn): Promise<string> {
  const traceId = randomBytes(16).toString('hex')
  const root = randomBytes(8).toString('hex')
  const messages = (role: string, content: string) =>
    JSON.stringify([{ role, parts: [{ type: 'text', content }] }])
  const span = (fields: object, attributes: object, offsetMs: number) => ({
    traceId,
    spanId: randomBytes(8).toString('hex'),
    startTimeUnixNano: String(START + BigInt(second) * 1_000_000_000n + BigInt(offsetMs) * 1_000_000n),
    durationMs: 50,
    service: 'bot',
    attributes,
    ...fields,
  })
  const call = (offsetMs: number, status?: string) =>
    span(
      { name: 'chat', parentSpanId: root, status },
      {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'gpt-4o-mini',
        'gen_ai.usage.input_tokens': 100,
        'gen_ai.usage.output_tokens': 10,
        'gen_ai.input.messages': messages('user', `inner ${question}`),
        'gen_ai.output.messages': messages('assistant', `inner ${answer}`),
      },
      offsetMs,
    )
  const agent = span(
    { spanId: root, name: 'agent', durationMs: 500 },
    {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.conversation.id': session,
      ...(user !== undefined && { 'user.id': user }),
      ...(instructed
        ? { 'gen_ai.system_instructions': '[{"type":"text","content":"Be brief."}]' }
        : {
            'gen_ai.input.messages': messages('user', question),
            'gen_ai.output.messages': messages('assistant', answer),
          }),
    },
    0,
  )
  const spans = [agent, call(10), call(100, failed ? 'error' : 'ok')]
  await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify(spans))
  stored += spans.length
  await eventually(async () =>
    expect(await app.query('select count(*)::int as n from spans')).toEqual([{ n: stored }]),
  )
  return traceId
}

const json = async (path: string) =>
  (await app.get(`/api/v1/sessions${path}`)).json() as Promise<Record<string, unknown>>
const idOf = (session: unknown) => (session as { sessionId: string }).sessionId

test('sessions are listed, the newest first, with what their turns took', async () => {
  await addTurn({ session: 'a', user: 'ada', second: 1, question: 'one?', answer: 'one.' })
  await addTurn({ session: 'b', second: 2, question: 'two?', answer: 'two.' })
  await addTurn({ session: 'a', user: 'bob', second: 3, question: 'three?', answer: 'three.', failed: true })
  const { data } = (await json('')) as { data: unknown[] }
  expect(data.map(idOf)).toEqual(['a', 'b'])
  expect(data[0]).toEqual({
    sessionId: 'a',
    userIds: ['ada', 'bob'],
    services: ['bot'],
    startTimeUnixNano: String(START + 1_000_000_000n),
    endTimeUnixNano: String(START + 3_500_000_000n),
    turnCount: 2,
    errorCount: 1,
    inputTokens: 400,
    outputTokens: 40,
    cost: expect.closeTo(400 * 15e-8 + 40 * 6e-7, 10),
  })
  expect(((await json('?user=ada')) as { data: unknown[] }).data.map(idOf)).toEqual(['a'])
  expect(((await json('?limit=1')) as { data: unknown[] }).data.map(idOf)).toEqual(['a'])
  expect((await json('?to=-1h')).data).toEqual([])
})

test('a session has its turns in order, each with its trace, its question and its answer', async () => {
  const second = await addTurn({
    session: 'chat / 1',
    user: 'ada',
    second: 20,
    question: 'and?',
    answer: 'so.',
  })
  const first = await addTurn({
    session: 'chat / 1',
    user: 'ada',
    second: 10,
    question: 'what?',
    answer: 'that.',
  })
  const session = await json(`/${encodeURIComponent('chat / 1')}`)
  expect(session).toMatchObject({ sessionId: 'chat / 1', userIds: ['ada'], turnCount: 2 })
  const said = (role: string, content: string) => ({ role, parts: [{ type: 'text', content }] })
  expect(session.turns).toMatchObject([
    {
      traceId: first,
      name: 'agent',
      spanCount: 3,
      inputTokens: 200,
      input: said('user', 'what?'),
      output: said('assistant', 'that.'),
    },
    { traceId: second, name: 'agent', input: said('user', 'and?'), output: said('assistant', 'so.') },
  ])
  const lines = (await (await app.get('/api/v1/sessions/chat%20%2F%201?format=ndjson')).text())
    .trim()
    .split('\n')
  expect(lines.map((line) => (JSON.parse(line) as { traceId: string }).traceId)).toEqual([first, second])
})

test('a turn whose agent says nothing has the question and the answer of its calls', async () => {
  await addTurn({ session: 'quiet', second: 30, question: 'why?', answer: 'because.', instructed: true })
  const { turns } = await json('/quiet')
  const text = (content: string) => ({ parts: [{ type: 'text', content }] })
  expect(turns).toMatchObject([{ input: text('inner why?'), output: text('inner because.') }])
})

test('a session that is not there is 404, an unknown parameter 400', async () => {
  const missing = await app.get('/api/v1/sessions/unheard-of')
  expect(missing.status).toBe(404)
  expect(await missing.json()).toMatchObject({ title: 'No such session' })
  expect((await app.get('/api/v1/sessions?colour=red')).status).toBe(400)
})
