import { describe, expect, test } from 'vitest'
import { paintFor } from '../../../../src/commands/query/paint.ts'
import { lineOfRecord } from '../../../../src/commands/tail/line-of-record.ts'
import { serviceStyle } from '../../../../src/commands/tail/service-style.ts'
import type { TailFlags } from '../../../../src/commands/tail/tail-flags.ts'
import { TAILED_SIGNALS } from '../../../../src/commands/tail/tailed-signal.ts'

const [LOGS, SPANS, METRICS] = TAILED_SIGNALS
const NOON = Date.UTC(2026, 10, 26, 12)
const nanos = (ms: number) => `${ms}000000`
const ESCAPE = String.fromCharCode(27)
/** Clears the screen, sets the title, breaks the line, turns the text round. */
const EVIL = `${ESCAPE}[2J${ESCAPE}]0;title\u0007red\r\nline\u202e\u009b31m\u2028end`
const TRACE_ID = '5b8aa5a2d2c872e8321cf37308d69df2'

const LOG = {
  timeUnixNano: nanos(NOON + 123),
  severityNumber: 17,
  severityText: 'err',
  service: 'api',
  body: 'no answer',
  traceId: TRACE_ID,
  spanId: '00f067aa0ba902b7',
  attributes: { peer: 'db', 'user.id': 'ann lee', tries: 3, big: 12345678901234567n, list: [1, 'a'] },
}
const SPAN = {
  traceId: TRACE_ID,
  spanId: '00f067aa0ba902b7',
  parentSpanId: '00f067aa0ba902b8',
  name: 'chat gpt-4o',
  kind: 'client',
  startTimeUnixNano: nanos(NOON),
  endTimeUnixNano: nanos(NOON + 830),
  status: { code: 'error', message: 'rate limit' },
  service: 'assistant',
  attributes: {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'gpt-4o',
    'gen_ai.response.model': 'gpt-4o-2024-08-06',
    'gen_ai.usage.input_tokens': 1200,
    'gen_ai.usage.output_tokens': 85,
  },
}
const POINT = {
  name: 'queue.depth',
  type: 'gauge',
  unit: '{request}',
  timeUnixNano: nanos(NOON),
  value: 12,
  service: 'worker',
  attributes: { queue: 'fast' },
}

function show(
  signal: typeof LOGS,
  record: object | string,
  flags: Partial<TailFlags> = {},
  isTerminal = true,
): string | undefined {
  const json =
    typeof record === 'string'
      ? record
      : // As PostgreSQL writes it: all digits of an integer.
        JSON.stringify(record, (_, value) => (typeof value === 'bigint' ? `#${value}#` : value)).replaceAll(
          /"#(\d+)#"/g,
          '$1',
        )
  const all: TailFlags = { color: 'never', reconnect: true, utc: true, ...flags }
  const paint = paintFor({ isTTY: isTerminal }, {}, all.color)
  return lineOfRecord(signal!, all, { isTerminal, paint, now: () => NOON + 60_000 })(json)
}

describe('pretty', () => {
  test('shows of a log record its time, level, service, body, attributes and the start of its trace id', () => {
    expect(show(LOGS, LOG)).toBe(
      '12:00:00.123Z ERROR api  no answer  peer=db user.id="ann lee" tries=3 big=12345678901234567 list="[1,\\"a\\"]"  trace=5b8aa5a2',
    )
    expect(show(LOGS, LOG, { fullIds: true })).toContain(`trace=${TRACE_ID}`)
  })

  test('shows local times unless they are asked for in UTC, and the date of another day', () => {
    const local = new Date(NOON + 123)
    const two = (value: number) => String(value).padStart(2, '0')
    const time = [local.getHours(), local.getMinutes(), local.getSeconds()].map(two).join(':')
    expect(show(LOGS, LOG, { utc: false })?.startsWith(`${time}.123 ERROR`)).toBe(true)
    const before = { ...LOG, timeUnixNano: nanos(NOON - 86_400_000) }
    expect(show(LOGS, before)).toMatch(/^2026-11-25 12:00:00\.000Z ERROR/)
  })

  test.each([
    [{ severityNumber: 10 }, 'INFO  api'],
    [{ severityNumber: undefined, severityText: 'loud' }, 'loud  api'],
    [{ severityNumber: undefined, severityText: undefined }, '-     api'],
    [{ eventName: 'turn', body: { role: 'user' } }, 'ERROR api  turn {"role":"user"}  peer'],
    [{ body: undefined, attributes: {}, traceId: undefined }, 'ERROR api'],
    [
      { body: 'x'.repeat(9000), attributes: { stack: 'y'.repeat(9000) } },
      `xxx…  stack=${'y'.repeat(200)}…  tr`,
    ],
  ])('shows a log record with %j', (other, shown) => {
    expect(show(LOGS, { ...LOG, ...other })).toContain(shown)
  })

  test('shows of a span how long it took, how it ended, and what a call of a model took', () => {
    expect(show(SPANS, SPAN)).toBe(
      '12:00:00.000Z   830 ms error client   assistant  chat gpt-4o: rate limit  gpt-4o-2024-08-06, 1,200 in, 85 out  trace=5b8aa5a2',
    )
    const plain = {
      ...SPAN,
      endTimeUnixNano: undefined,
      kind: 'unspecified',
      status: {},
      attributes: { a: 1 },
    }
    expect(show(SPANS, plain)).toBe(
      '12:00:00.000Z     open -     -        assistant  chat gpt-4o  trace=5b8aa5a2',
    )
  })

  test('shows of a point its value, and of a distribution count, sum and quantiles', () => {
    expect(show(METRICS, POINT)).toBe('12:00:00.000Z worker  queue.depth 12 {request}  queue=fast')
    const { value: _, ...rest } = { ...POINT, unit: 'ms', attributes: {} }
    const histogram = { count: 4, sum: 100, max: 40, explicitBounds: [10, 20], bucketCounts: [0, 4, 0] }
    expect(show(METRICS, { ...rest, ...histogram })).toContain(
      'queue.depth count 4, sum 100 ms, max 40 ms, p50 ~15 ms, p95 ~19.5 ms',
    )
    const exponential = { count: 2, scale: 0, zeroCount: 0, positive: { offset: 1, bucketCounts: [2] } }
    expect(show(METRICS, { ...rest, ...exponential })).toContain('count 2, p50 ~2.83 ms, p95')
    const summary = { count: 2, sum: 3, quantiles: [{ quantile: 0.999, value: 2 }] }
    expect(show(METRICS, { ...rest, ...summary, unit: '1' })).toContain('count 2, sum 3, p99.9 2')
  })

  test('has the colors of the level and of the service, which always has the same', () => {
    const line = show(LOGS, LOG, { color: 'always' }) ?? ''
    expect(line).toContain(`${ESCAPE}[31mERROR${ESCAPE}[39m`)
    expect(line).toContain('api')
    expect(serviceStyle('api')).toBe(serviceStyle('api'))
    const names = Array.from({ length: 40 }, (_, index) => `service-${index}`)
    expect(new Set(names.map(serviceStyle)).size).toBe(8)
  })
})

describe('other forms', () => {
  test('json is the record as it came, on one line', () => {
    const json = '{"body":"\u202eé",  "big":12345678901234567890, "f":1.0}'
    expect(show(LOGS, json, {}, false)).toBe(json)
    expect(show(LOGS, '{"a":1,\n"b":2}', { output: 'json' }, false)).toBe('{"a":1, "b":2}')
  })

  test('json on a terminal is the same value in characters that are safe', () => {
    const record = { body: `${EVIL}\u{e0041}`, service: 'api' }
    const line = show(LOGS, JSON.stringify(record), { output: 'json' }) ?? ''
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u)
    expect(JSON.parse(line)).toEqual(record)
  })

  test('logfmt has all fields and attributes, quoted where they must be', () => {
    expect(show(LOGS, LOG, { output: 'logfmt' })).toBe(
      `time=2026-11-26T12:00:00.123Z level=error service=api body="no answer" traceId=${TRACE_ID} spanId=00f067aa0ba902b7 ` +
        'peer=db user.id="ann lee" tries=3 big=12345678901234567 list="[1,\\"a\\"]"',
    )
    expect(show(SPANS, SPAN, { output: 'logfmt' })).toContain(
      'durationMs=830 status=error statusMessage="rate limit" kind=client service=assistant name="chat gpt-4o" traceId=',
    )
    expect(show(METRICS, POINT, { output: 'logfmt' })).toContain(
      'service=worker name=queue.depth type=gauge value=12 unit={request} queue=fast',
    )
    const odd = { ...LOG, attributes: { service: 'other', 'a key="': '', bell: '\u0007' } }
    expect(show(LOGS, odd, { output: 'logfmt' })).toContain(
      'attributes.service=other a_key__="" bell="\\u0007"',
    )
  })

  test.each([
    ['{{time}} {{level}} {{ service }}: {{body}}', '2026-11-26T12:00:00.123Z error api: no answer'],
    ['{{attributes.user.id}}\\t{{attributes.list}}\\\\', 'ann lee\t[1,"a"]\\'],
    ['{{severityNumber}},{{attributes.none}},{{nothing}},{{constructor}}', '17,,,'],
    ['{{attributes.big}}{{timeUnixNano}}', `12345678901234567${LOG.timeUnixNano}`],
    ['{one} }{ {{service}}', '{one} }{ api'],
  ])('the template %s is filled in', (template, shown) => {
    expect(show(LOGS, LOG, { template })).toBe(shown)
  })

  test('a template of spans has their duration, model and tokens, and members of members', () => {
    const template =
      '{{duration}} {{durationMs}} {{model}} {{inputTokens}}/{{outputTokens}} {{status.code}} {{resource.attributes.host.name}}'
    const record = { ...SPAN, resource: { attributes: { 'host.name': 'h1' } } }
    expect(show(SPANS, record, { template })).toBe('830 ms 830 gpt-4o-2024-08-06 1200/85 error h1')
  })

  test.each([
    [{ template: 'no field' }, /^--template has no \{\{field\}\}/],
    [{ template: '{{time} {{body}}' }, /^--template has a \{\{ alone/],
    [{ template: '{{}} {{body}}' }, /^--template has an empty/],
    [{ output: 'template' as const }, /^--output template needs --template/],
    [{ output: 'json' as const, template: '{{body}}' }, /^--template cannot be used with --output json/],
    [{ include: ['(a'] }, /^--include is no regular expression \(RE2\): missing closing \)/],
  ])('%j is wrong usage', (flags, told) => {
    expect(() => show(LOGS, LOG, flags)).toThrow(told)
  })
})

test('whatever telemetry says, nothing in a line moves the cursor, changes a color or begins another line', () => {
  const log = {
    ...LOG,
    ...{ severityNumber: undefined, severityText: EVIL, service: EVIL, eventName: EVIL, body: EVIL },
    ...{ traceId: EVIL, spanId: EVIL, attributes: { [EVIL]: EVIL, list: [EVIL] } },
  }
  const status = { code: EVIL, message: EVIL }
  const span = { ...SPAN, name: EVIL, kind: EVIL, status, service: EVIL, traceId: EVIL, spanId: EVIL }
  const model = { ...span, attributes: { 'gen_ai.request.model': EVIL, 'gen_ai.usage.input_tokens': 1 } }
  const point = { ...POINT, name: EVIL, unit: EVIL, service: EVIL, type: EVIL, attributes: { [EVIL]: EVIL } }
  const forms: Partial<TailFlags>[] = [
    { output: 'pretty', fullIds: true },
    { output: 'logfmt' },
    { output: 'json' },
    { template: '{{service}} {{name}} {{body}} {{level}} {{attributes}} {{status}} {{traceId}} {{model}}' },
  ]
  for (const flags of forms) {
    for (const [signal, record] of [
      [LOGS, log],
      [SPANS, model],
      [METRICS, point],
      [LOGS, EVIL],
      [LOGS, { timeUnixNano: 'x', body: EVIL }],
    ] as const) {
      const line = show(signal, record, { ...flags, highlight: ['title'] })
      expect(line, JSON.stringify(flags)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      expect(line).toContain('title')
    }
  }
})

test('a record of a shape that is not known is shown as it came', () => {
  expect(show(LOGS, '{"timeUnixNano":"soon"}')).toBe('{"timeUnixNano":"soon"}')
  expect(show(LOGS, 'null')).toBe('null')
})

describe('lines that are chosen', () => {
  test('are those with one of the patterns of --include, and none of --exclude, in them as they are shown', () => {
    const shows = (flags: Partial<TailFlags>) => show(LOGS, LOG, flags) !== undefined
    expect(shows({ include: ['zebra', '(?i)NO answer'] })).toBe(true)
    expect(shows({ include: ['zebra'] })).toBe(false)
    expect(shows({ include: ['^12:00'], exclude: ['peer=d.'] })).toBe(false)
    expect(shows({ exclude: ['zebra', 'giraffe'] })).toBe(true)
    // What is not shown is not looked at.
    expect(shows({ include: [TRACE_ID] })).toBe(false)
    expect(shows({ include: [TRACE_ID], output: 'json' })).toBe(true)
  })

  test('have matches highlighted, across styles, each once where they overlap', () => {
    const flags = {
      color: 'always',
      output: 'pretty',
      include: ['ERROR a'],
      highlight: ['answ', 'swer', 'x*'],
    }
    const line = show(LOGS, LOG, flags as Partial<TailFlags>) ?? ''
    const mark = (text: string) => `${ESCAPE}[7m${text}${ESCAPE}[27m`
    expect(line).toContain(`${ESCAPE}[31m${mark('ERROR')}${ESCAPE}[39m${mark(' ')}`)
    expect(line).toContain(`no ${mark('answer')}`)
    expect(line.split(`${ESCAPE}[7m`)).toHaveLength(5)
    expect(line.replaceAll(new RegExp(`${ESCAPE}\\[\\d+m`, 'g'), '')).toBe(show(LOGS, LOG))
  })

  test('take a time linear in their length, whatever the pattern', () => {
    const line = show(LOGS, { body: `${'a'.repeat(200_000)}!` }, { include: ['(a+)+$'], output: 'json' })
    expect(line).toBeUndefined()
    const many = show(
      LOGS,
      { body: 'ab'.repeat(100_000) },
      { highlight: ['a'], output: 'json', color: 'always' },
    )
    expect(many?.match(/\[7m/g)).toHaveLength(100_000)
  })
})
