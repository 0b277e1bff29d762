import { describe, expect, test } from 'vitest'
import { FACTS_OF } from '../../../src/models/record-facts.ts'
import type { TelemetrySignal } from '../../../src/models/telemetry-signal.ts'
import { matcherOf } from '../../../src/repositories/match-record.ts'
import { readFilter, type WrittenFilter } from '../../../src/repositories/read-filter.ts'
import { decodeJson } from '../../helpers/decode-json.ts'

/* That a filter finds what PostgreSQL finds is shown by test/integration/records-as-they-come.test.ts. */

const NOW = Date.now()

function isFound<S extends TelemetrySignal>(signal: S, record: object, words: WrittenFilter): boolean {
  const [decoded] = decodeJson(signal, JSON.stringify(record))
  if (decoded === undefined) throw new Error('no record')
  return matcherOf(signal, readFilter(words, NOW))(FACTS_OF[signal](decoded))
}

const LOG = {
  timeUnixNano: String(BigInt(NOW) * 1_000_000n),
  level: 'warn',
  body: 'Upstream timed out, retry',
  eventName: 'cart.filled',
  traceId: 'ab'.repeat(16),
  service: 'api',
  resource: { attributes: { 'deployment.environment': 'prod' } },
  attributes: { n: 42 },
}

describe('a filter of log records', () => {
  test.each<WrittenFilter>([
    {},
    { service: 'api' },
    { environment: 'prod' },
    { name: 'cart.filled' },
    { traceId: 'AB'.repeat(16) },
    { level: 'warn' },
    { 'attr.n': '42' },
    { q: 'timed -peer' },
    { contains: 'TIMED OUT', from: '-1h' },
    { service: 'api', environment: 'prod', level: 'info', q: 'retry OR nothing' },
  ])('with %j finds one that is so', (words) => {
    expect(isFound('logs', LOG, words)).toBe(true)
  })

  test.each<WrittenFilter>([
    { service: 'web' },
    { environment: 'test' },
    { name: 'CART.FILLED' },
    { traceId: 'ac'.repeat(16) },
    { spanId: 'ab'.repeat(8) },
    { level: 'error' },
    { 'attr.n': '43' },
    { 'attr.m': '42' },
    { q: 'timed -upstream' },
    { contains: 'timed  out', from: '-1h' },
    { to: '-1h' },
    { service: 'api', environment: 'prod', level: 'info', q: 'nothing' },
  ])('with %j does not find it', (words) => {
    expect(isFound('logs', LOG, words)).toBe(false)
  })

  test('finds nothing by the body of one that has none, not even by what is left out', () => {
    const { body: _, ...silent } = LOG
    for (const words of [{ q: 'retry' }, { q: '-retry' }, { contains: '', from: '-1h' }])
      expect(isFound('logs', silent, words)).toBe(false)
  })

  test('does not look at words that only spans or metrics have', () => {
    expect(isFound('logs', LOG, { status: 'error', kind: 'server', model: 'm', minDuration: '1h' })).toBe(
      true,
    )
  })
})

describe('a filter of spans', () => {
  const SPAN = {
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    name: 'chat',
    kind: 'client',
    status: 'error',
    startTime: NOW,
    durationMs: 1.5,
    attributes: { 'gen_ai.request.model': 'm-small', 'user.id': 'ada', 'gen_ai.prompt': 'hi' },
  }

  test.each<[WrittenFilter, boolean]>([
    [{ spanId: 'CD'.repeat(8) }, true],
    [{ status: 'error', kind: 'client' }, true],
    [{ status: 'ok' }, false],
    [{ minDuration: '1.5ms', maxDuration: '1500us' }, true],
    [{ minDuration: '1500001ns' }, false],
    [{ maxDuration: '1499999ns' }, false],
    [{ model: 'm-small', user: 'ada' }, true],
    [{ model: 'm-small', user: 'bob' }, false],
    [{ provider: 'openai' }, false],
    [{ 'attr.user.id': 'ada' }, true],
    [{ level: 'error', q: 'nothing' }, true],
  ])('with %j finds it: %s', (words, expected) => {
    expect(isFound('traces', SPAN, words)).toBe(expected)
  })

  test('by what was said to a model is refused: it is stored beside, and a tail would show nothing without a word', () => {
    expect(() => isFound('traces', SPAN, { 'attr.gen_ai.prompt': 'hi' })).toThrow(/not looked through/)
  })

  test('finds no duration of one that has not ended', () => {
    const { durationMs: _, ...running } = SPAN
    expect(isFound('traces', running, { minDuration: '0' })).toBe(false)
    expect(isFound('traces', running, { maxDuration: '1h' })).toBe(false)
  })
})

test('a filter of metrics is by the name of the metric', () => {
  const point = { name: 'queue', type: 'gauge', value: 1, time: NOW, attributes: { 'gen_ai.prompt': 'hi' } }
  expect(
    isFound('metrics', point, { name: 'queue', 'attr.gen_ai.prompt': 'hi', traceId: 'a'.repeat(32) }),
  ).toBe(true)
  expect(isFound('metrics', point, { name: 'load' })).toBe(false)
})

test('what takes time to find out of a record is found once, however many filters ask', () => {
  const [record] = decodeJson('logs', JSON.stringify(LOG))
  if (record === undefined) throw new Error('no record')
  const facts = FACTS_OF.logs(record)
  expect(facts.words).toBe(facts.words)
  const [span] = decodeJson(
    'traces',
    JSON.stringify({
      traceId: 'a'.repeat(32),
      spanId: 'b'.repeat(16),
      name: '',
      startTime: NOW,
      attributes: { 'user.id': 'ada' },
    }),
  )
  if (span === undefined) throw new Error('no record')
  const ofSpan = FACTS_OF.traces(span)
  expect(ofSpan.call).toMatchObject({ user: 'ada', model: undefined })
  expect(ofSpan.call).toBe(ofSpan.call)
})
