import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const folder = mkdtempSync(join(tmpdir(), 'privacy-'))
const redactionFile = join(folder, 'redaction.yaml')
const TRACE_ID = '5b8aa5a2d2c872e8321cf37308d69df2'

/** Whatever holds this must be gone. */
const SECRETS = [
  'ada@example.com',
  '4111 1111 1111 1111',
  'sk-proj-abcdefghijklmnop1234',
  'Bearer abcdefghijklmnop1234',
  'hunter2',
  'case-4711',
  'what was said',
]
const ALL = SECRETS.slice(0, -1)
  .filter((secret) => secret !== 'hunter2')
  .join(' and ')

let app: TestService

beforeAll(async () => {
  writeFileSync(redactionFile, `rules: [{ name: case, keys: ['*.case'], values: 'case-\\d+' }]`)
  app = await startTestService({
    REDACT: 'email,card,key,token',
    REDACTION_FILE: redactionFile,
    CONTENT: 'drop',
    BATCH_MAX_AGE_MS: '5',
  })
})
afterAll(async () => {
  await app?.close()
  rmSync(folder, { recursive: true })
})

/** Attributes with a secret in every place that there is. */
const ATTRIBUTES = {
  note: ALL,
  'db.password': 'hunter2',
  'x.case': 'hunter2',
  nested: { list: [ALL, { api_key: 'hunter2' }] },
  'gen_ai.input.messages': '[{"role":"user","parts":[{"type":"text","content":"what was said"}]}]',
  'gen_ai.tool.call.arguments': '{"password":"hunter2"}',
  'gen_ai.request.model': 'gpt-4o',
  accessToken: 'hunter2',
  'x-auth-token': 'hunter2',
  'gen_ai.evaluation.explanation': 'what was said',
  cut: `[{"content":"the key:\\n${SECRETS[2]} and `,
  'braintrust.input_json': '"what was said"',
  'user.id': 'ada@example.com',
}
const SOURCE = {
  service: 'api ada@example.com',
  resource: {
    attributes: { owner: ALL, 'owner.password': 'hunter2', 'input.value': 'what was said' },
    schemaUrl: `https://x/${ALL}`,
  },
  scope: { name: ALL, version: ALL, schemaUrl: ALL, attributes: { note: ALL } },
}

function span(fields: object = {}) {
  const time = `${Date.now()}000000`
  return {
    traceId: TRACE_ID,
    spanId: '051581bf3cb55c13',
    name: `call ${ALL}`,
    startTimeUnixNano: time,
    status: { code: 2, message: ALL },
    traceState: ALL,
    attributes: ATTRIBUTES,
    events: [
      { timeUnixNano: time, name: 'exception', attributes: { 'exception.message': ALL, token: 'hunter2' } },
      { timeUnixNano: time, name: 'gen_ai.user.message', attributes: { content: 'what was said' } },
    ],
    links: [{ traceId: TRACE_ID, spanId: '051581bf3cb55c14', traceState: ALL, attributes: ATTRIBUTES }],
    ...SOURCE,
    ...fields,
  }
}

function logRecord(fields: object = {}) {
  return { body: { text: ALL, password: 'hunter2' }, attributes: ATTRIBUTES, ...SOURCE, ...fields }
}

function point(fields: object = {}) {
  const time = `${Date.now()}000000`
  const exemplars = [{ timeUnixNano: time, value: 1, filteredAttributes: ATTRIBUTES }]
  return {
    name: ALL,
    unit: ALL,
    description: ALL,
    type: 'gauge',
    timeUnixNano: time,
    value: 1,
    attributes: ATTRIBUTES,
    exemplars,
    ...SOURCE,
    ...fields,
  }
}

/** Everything that PostgreSQL holds, as text; of bytes what they say. */
async function everything(): Promise<string> {
  const tables = await app.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r'`,
  )
  const rows = await Promise.all(tables.map(({ name }) => app.query(`select t.* from ${name} t`)))
  return JSON.stringify(rows.flat(), (_, value) =>
    value?.type === 'Buffer' ? Buffer.from(value.data).toString('utf8') : value,
  )
}

const add = (signal: string, ...fields: string[]) => app.redis.xadd(`${app.prefix}:${signal}`, '*', ...fields)
const json = (value: unknown) => ['json', JSON.stringify(value)]

/** Flat, as a person would write it. */
const flat = (record: Readonly<Record<string, unknown>>) =>
  Object.entries(record).flatMap(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ])

const OTLP_LOGS = {
  resourceLogs: [
    {
      resource: { attributes: [{ key: 'owner', value: { stringValue: ALL } }] },
      scopeLogs: [
        {
          logRecords: [
            {
              body: { stringValue: ALL },
              attributes: [{ key: 'db.password', value: { stringValue: 'hunter2' } }],
            },
            {
              eventName: 'gen_ai.choice',
              body: {
                kvlistValue: { values: [{ key: 'content', value: { stringValue: 'what was said' } }] },
              },
            },
          ],
        },
      ],
    },
  ],
}

describe('what must not be kept', () => {
  test('is nowhere in PostgreSQL, whatever it came in, and in dead letters neither', async () => {
    await add('traces', ...json(span()))
    await add('traces', ...json([span(), span({ traceId: 'ada@example.com' })]))
    await add('traces', ...flat(span()))
    await add('traces', ...flat(span({ spanId: 'wrong' })))
    await add('logs', ...json(logRecord()))
    await add(
      'logs',
      ...json(logRecord({ eventName: 'gen_ai.user.message', body: { content: 'what was said' } })),
    )
    await add('logs', ...json(logRecord({ time: 'ada@example.com' })))
    await add('logs', 'otlp', JSON.stringify(OTLP_LOGS))
    const details = { 'gen_ai.input.messages': [{ role: 'user', parts: [{ content: 'what was said' }] }] }
    await add(
      'logs',
      ...json(logRecord({ eventName: 'gen_ai.client.inference.operation.details', body: details })),
    )
    await add(
      'logs',
      ...json(
        logRecord({ attributes: { 'microsoft.custom_event.name': 'gen_ai.choice' }, body: 'what was said' }),
      ),
    )
    const named = { 'event.name': 'gen_ai.choice' }
    await add('logs', ...json({ time: 'x', attributes: named, body: 'what was said' }))
    await add('logs', 'time', 'x', 'attributes', JSON.stringify(named), 'body', 'what was said')
    const pairs = [{ key: 'event.name', value: { stringValue: 'gen_ai.choice' } }]
    await add('logs', ...json({ time: 'x', attributes: pairs, body: { stringValue: 'what was said' } }))
    await add('logs', ...json(JSON.stringify({ time: 'x', attributes: ATTRIBUTES })))
    await add('logs', 'json', `{"time":"x","message":"${SECRETS[0]}","message":"ok"}`)
    await add('logs', 'message', ALL, 'password', 'hunter2')
    await add('logs', 'json', `{"broken": "${ALL}"`)
    await add('logs', 'json', `{"a":"${ALL}"}`, 'beside', ALL)
    await add('metrics', ...json(point()))
    await add('metrics', ...json(point({ value: 'ada@example.com' })))

    await eventually(async () => {
      const [counts] = await app.query(
        `select (select count(*)::int from spans) as spans, (select count(*)::int from log_records) as logs,
                (select count(*)::int from metric_points) as points, (select count(*)::int from dead_letters) as letters`,
      )
      expect(counts).toEqual({ spans: 3, logs: 7, points: 1, letters: 11 })
    })
    const stored = await everything()
    for (const secret of SECRETS) expect(stored).not.toContain(secret)
    expect(stored).toContain(
      '[redacted:email] and [redacted:card] and [redacted:key] and [redacted:token] and [redacted:case]',
    )
    expect(stored).toContain('is not kept')
  })

  test('is counted by rule', async () => {
    const metrics = await (await app.get('/metrics')).text()
    for (const rule of ['email', 'card', 'key', 'token', 'case'])
      expect(metrics).toMatch(
        new RegExp(`observatory_values_redacted_total\\{signal="traces",rule="${rule}"\\} [1-9]`),
      )
  })

  test('leaves what the columns are read from', async () => {
    const [row] = await app.query('select request_model, user_id, has_content from spans limit 1')
    expect(row).toEqual({ request_model: 'gpt-4o', user_id: '[redacted:email]', has_content: false })
  })

  test('is not in what the replay of a dead letter writes, if the rules are given', async () => {
    const args = ['--database-url', app.databaseUrl, '--redact', 'email,card,key,token']
    const rules = ['--redaction-file', redactionFile, '--content', 'drop']
    const replay = await new RunningCommand(['dead-letters', 'replay', ...args, ...rules]).finished
    expect(replay.stderr).toMatch(/letters/)
    const stored = await everything()
    for (const secret of SECRETS) expect(stored).not.toContain(secret)
  })
})

test('no record ends ingest by its depth, whatever is to be kept of it', async () => {
  for (const content of ['truncate', 'hash', 'drop']) {
    const deep = await startTestService({ CONTENT: content, REDACT: 'email', BATCH_MAX_AGE_MS: '5' })
    try {
      const brackets = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
      const attributes = { 'gen_ai.input.messages': brackets, note: brackets }
      for (const record of [
        span({ attributes }),
        span({ attributes, spanId: 'wrong' }),
        span({ attributes: {} }),
      ])
        await deep.redis.xadd(`${deep.prefix}:traces`, '*', ...json(record))
      await eventually(async () => {
        const [counts] = await deep.query(
          `select (select count(*)::int from spans) + (select count(*)::int from dead_letters) as records`,
        )
        expect(counts).toEqual({ records: 3 })
      })
      expect((await deep.get('/readyz')).status).toBe(200)
    } finally {
      await deep.close()
    }
  }
})

test('DEAD_LETTER_PAYLOAD=keep keeps what was refused as it came', async () => {
  const keeping = await startTestService({
    REDACT: 'email',
    DEAD_LETTER_PAYLOAD: 'keep',
    BATCH_MAX_AGE_MS: '5',
  })
  try {
    const refused = '{"time": "yesterday",  "message": "ada@example.com"}'
    await keeping.redis.xadd(`${keeping.prefix}:logs`, '*', 'json', refused)
    await eventually(async () => {
      const letters = await keeping.query(`select convert_from(payload, 'utf8') as payload from dead_letters`)
      expect(letters).toEqual([{ payload: refused }])
    })
  } finally {
    await keeping.close()
  }
})

test('rules that are wrong keep the service from starting, and every problem is told', async () => {
  const wrong = join(folder, 'wrong.yaml')
  writeFileSync(wrong, `rules: [{ name: a, values: '(' }, { name: email, values: x }]`)
  await expect(startTestService({ REDACTION_FILE: wrong })).rejects.toThrow(
    /rules\[0\]\.values is no regular expression.*rules\[1\]\.name email is taken/s,
  )
  await expect(startTestService({ REDACT: 'email,phone' })).rejects.toThrow(/"phone".*email,card,key,token/)
})
