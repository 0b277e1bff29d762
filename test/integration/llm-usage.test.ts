import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let app: TestService

beforeAll(async () => {
  app = await startTestService()
})
afterAll(() => app?.close())

interface Step {
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly inside?: readonly Step[]
}

/** Adds a trace of spans inside one another. @returns its id once all of it is stored. */
async function addTrace(root: Step): Promise<string> {
  const traceId = randomBytes(16).toString('hex')
  const spans: object[] = []
  const add = ({ name, attributes, inside = [] }: Step, parentSpanId?: string): void => {
    const spanId = randomBytes(8).toString('hex')
    spans.push({
      traceId,
      spanId,
      parentSpanId,
      name,
      attributes,
      startTime: new Date().toISOString(),
      durationMs: 5,
    })
    for (const step of inside) add(step, spanId)
  }
  add(root)
  await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify(spans))
  await eventually(async () => {
    const stored = await app.query('select from spans where trace_id = $1', [traceId])
    expect(stored).toHaveLength(spans.length)
  })
  return traceId
}

const usage = (input: number, output: number, cost?: number) => ({
  'gen_ai.request.model': 'm',
  'gen_ai.usage.input_tokens': input,
  'gen_ai.usage.output_tokens': output,
  ...(cost !== undefined && { 'gen_ai.usage.cost': cost }),
})

/** What is around calls repeats the usage of all of them, each dialect in its own words. */
test.each<[string, Step]>([
  [
    'OpenTelemetry',
    {
      name: 'invoke_agent',
      attributes: { 'gen_ai.operation.name': 'invoke_agent', ...usage(30, 12, 0.3) },
      inside: [
        { name: 'chat', attributes: { 'gen_ai.operation.name': 'chat', ...usage(10, 4, 0.1) } },
        { name: 'tool', attributes: { 'gen_ai.operation.name': 'execute_tool' } },
        { name: 'chat', attributes: { 'gen_ai.operation.name': 'chat', ...usage(20, 8, 0.2) } },
      ],
    },
  ],
  [
    'Vercel AI SDK',
    {
      name: 'ai.generateText',
      attributes: { 'ai.operationId': 'ai.generateText', ...usage(30, 12, 0.3) },
      inside: [
        {
          name: 'doGenerate',
          attributes: { 'ai.operationId': 'ai.generateText.doGenerate', ...usage(10, 4, 0.1) },
        },
        {
          name: 'doGenerate',
          attributes: { 'ai.operationId': 'ai.generateText.doGenerate', ...usage(20, 8, 0.2) },
        },
      ],
    },
  ],
  [
    'OpenInference',
    {
      name: 'agent',
      attributes: { 'openinference.span.kind': 'AGENT', 'llm.model_name': 'm', 'llm.token_count.prompt': 30 },
      inside: [
        {
          name: 'chain',
          attributes: { 'openinference.span.kind': 'CHAIN', 'llm.token_count.prompt': 30 },
          inside: [
            { name: 'llm', attributes: { 'openinference.span.kind': 'LLM', ...usage(10, 4, 0.1) } },
            { name: 'llm', attributes: { 'openinference.span.kind': 'LLM', ...usage(20, 8, 0.2) } },
          ],
        },
      ],
    },
  ],
])('a trace counts the tokens and the cost of each call once: %s', async (_, root) => {
  const traceId = await addTrace(root)
  const [trace] = await app.query(
    'select input_tokens::int, output_tokens::int, cost::float8 from traces where trace_id = $1',
    [traceId],
  )
  expect(trace).toEqual({ input_tokens: 30, output_tokens: 12, cost: 0.3 })
  const calls = await app.query(
    'select input_tokens::int from llm_calls where trace_id = $1 order by input_tokens',
    [traceId],
  )
  expect(calls).toEqual([{ input_tokens: 10 }, { input_tokens: 20 }])
})

test('a trace counts a span that is its own parent, and no tools', async () => {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  const span = { traceId, name: 'chat', startTime: new Date().toISOString() }
  const spans = [
    { ...span, spanId, parentSpanId: spanId, attributes: usage(10, 4, 0.1) },
    {
      ...span,
      spanId: 'a'.repeat(16),
      attributes: { 'gen_ai.operation.name': 'execute_tool', ...usage(99, 9) },
    },
  ]
  await app.redis.xadd(`${app.prefix}:traces`, '*', 'json', JSON.stringify(spans))
  await eventually(async () => {
    const [trace] = await app.query('select input_tokens::int, cost::text from traces where trace_id = $1', [
      traceId,
    ])
    expect(trace).toEqual({ input_tokens: 10, cost: '0.1' })
  })
})

test('a trace counts a call once that two instrumentations report, one inside the other', async () => {
  const traceId = await addTrace({
    name: 'request',
    attributes: {},
    inside: [
      {
        name: 'wrapper',
        attributes: usage(30, 12, 0.3),
        inside: [
          { name: 'chat', attributes: usage(10, 4, 0.1) },
          { name: 'chat', attributes: usage(20, 8, 0.2) },
        ],
      },
      { name: 'chat', attributes: usage(5, 1, 0.05) },
    ],
  })
  const [trace] = await app.query(
    'select input_tokens::int, output_tokens::int, cost::text from traces where trace_id = $1',
    [traceId],
  )
  expect(trace).toEqual({ input_tokens: 35, output_tokens: 13, cost: '0.35' })
})
