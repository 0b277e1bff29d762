import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'

/*
 * Records in which what a filter asks for stands in another place than one would think, or is written in another way, and what is asked of them.
 */

const service = 'odd'
const now = () => String(BigInt(Date.now()) * 1_000_000n)

const NUMBERS = [42, 42.5, -42.5, 0.1, 1.5e-7, 9_007_199_254_740_993n, -9_007_199_254_740_993n, 1e20, 0]

function log(record: object): object {
  return { service, timeUnixNano: now(), ...record }
}

export const ODD_LOGS: readonly object[] = [
  // What was said to a model is stored beside.
  log({ eventName: 'gen_ai.user.message', body: { content: 'a secret koala' } }),
  log({ attributes: { 'event.name': 'gen_ai.choice' }, body: 'a secret koala' }),
  log({ body: { 'gen_ai.input.messages': 'a secret koala', role: 'user' } }),
  log({ body: 'an open koala', attributes: { 'gen_ai.prompt': 'x', 'gen_ai.prompt.name': 'x' } }),
  // The name of an event is not looked for in attributes.
  log({ attributes: { 'event.name': 'koala.seen' } }),
  log({ eventName: 'koala.seen' }),
  ...NUMBERS.map((number) => log({ attributes: { number } })),
  log({ attributes: { number: '42' } }),
  log({ attributes: { number: '42.0' } }),
  log({ attributes: { number: 'NaN' } }),
  log({ attributes: { number: [42] } }),
  ...[true, 'true', null, 'null', [null], {}].map((truth) => log({ attributes: { truth } })),
  log({ attributes: { constructor: 'x', toString: null } }),
  log({ body: '' }),
  log({ body: 'ΟΔΟΣ ΟΔΥΣΣΕΥΣ İstanbul STRASSE straße ÉCOLE' }),
  log({ body: 'οδος naïve 东京 Москва ½ x²' }),
  log({ body: 12_345_678_901_234_567_890n }),
  log({ body: ['Koala', { deep: [true, 'eucalyptus tree'] }] }),
  log({ body: 'percent 100% under_score back\\slash "quoted" new\nline' }),
  log({ body: `${'w'.repeat(2046)} ${'v'.repeat(2047)} behind` }),
  log({ body: `${'😀 '.repeat(49_999)}last cut off` }),
  log({ body: 'one two three two four two three five' }),
  log({ resource: { attributes: { 'deployment.environment': 'old' } } }),
  log({
    resource: {
      attributes: { 'deployment.environment.name': 'new', 'deployment.environment': 'old' },
      schemaUrl: 'https://example.com/r',
    },
  }),
  log({ resource: { attributes: { 'deployment.environment.name': 7, 'deployment.environment': 'old' } } }),
  log({ body: 'cleaned \u0000 and \ud800.', attributes: { 'k\u0000': 'v\udc00', odd: { 'n\u0000': 1 } } }),
  log({ attributes: JSON.parse('{"__proto__":"x","a":{"__proto__":{"b":1}}}') }),
]

let ids = 0
function span(record: object): object {
  ids += 1
  const id = ids.toString(16).padStart(16, 'c')
  return { service, name: 'odd', traceId: id + id, spanId: id, startTimeUnixNano: now(), ...record }
}

export const ODD_SPANS: readonly object[] = [
  span({
    attributes: { 'gen_ai.prompt': 'x', 'gen_ai.request.model': 'asked', 'gen_ai.system': 'VERTEX_AI' },
  }),
  span({ attributes: { 'gen_ai.request.model': 'asked', 'gen_ai.response.model': 'answered' } }),
  span({ attributes: { 'gen_ai.request.model': 'm'.repeat(2000) } }),
  span({ attributes: { 'gen_ai.request.model': 5, 'session.id': '', 'enduser.id': 'eve' } }),
  span({ attributes: { 'user.id': 'adam', 'enduser.id': 'eve', 'langfuse.user.id': 'lilith' } }),
  span({ attributes: { 'ai.operationId': 'ai.embed.doEmbed', 'ai.model.provider': 'openai.chat' } }),
  span({ attributes: { 'ai.telemetry.metadata.langfusePrompt': '{"name":"greet","version":3}' } }),
  ...NUMBERS.map((number) => span({ attributes: { number } })),
  span({ name: '', durationMs: 0 }),
  span({ durationMs: 1.000_001, kind: 'SPAN_KIND_SERVER', status: { code: 2, message: 'no "good"' } }),
  span({
    events: [
      { name: 'a\u0000', attributes: { big: 2n ** 70n } },
      { name: '', droppedAttributesCount: 1 },
    ],
    links: [{ traceId: 'd'.repeat(32), spanId: 'e'.repeat(16), traceState: 'a=b', flags: 1 }],
    traceState: 'x=y',
    scope: {
      name: 'lib "x"',
      version: '1',
      schemaUrl: 'https://example.com/s',
      attributes: { a: 2n ** 60n },
    },
  }),
]

function point(record: object): object {
  return { service, name: 'queue', type: 'gauge', timeUnixNano: now(), value: 1, ...record }
}

export const ODD_POINTS: readonly object[] = [
  ...NUMBERS.map((number) => point({ attributes: { number } })),
  // Of points, all attributes are of their series.
  point({ attributes: { 'gen_ai.prompt': 'x' } }),
  point({ value: undefined, flags: 1 }),
  point({ value: 2n ** 63n - 1n }),
  point({ value: 1e22 }),
  point({ value: 1e-9 }),
  point({ type: 'histogram', count: 0, value: undefined }),
  point({ type: 'summary', count: 3, value: undefined, quantiles: [{ quantile: 0.5, value: 'NaN' }] }),
  point({ unit: 'a "b"', description: 'é\u0000', exemplars: [{ value: 2n ** 60n, timeUnixNano: now() }] }),
]

interface Question {
  readonly query: Readonly<Record<string, string>>
  /** So many records are found. */
  readonly count: number
}

const bySomething = (word: string) => (text: string, count: number) => ({
  query: { service, [word]: text },
  count,
})
const byNumber = bySomething('attr.number')
const byWords = bySomething('q')
const byPart = (contains: string, count: number) => ({ query: { service, from: '-1h', contains }, count })

const NUMBER_QUESTIONS: readonly Question[] = [
  byNumber('42.5', 1),
  byNumber('42.50', 1),
  byNumber('-42.5', 1),
  byNumber('0.1', 1),
  byNumber('0.1000000000000000055511151231', 0),
  byNumber('0.00000015', 1),
  byNumber('1.5e-7', 0),
  byNumber('9007199254740993', 1),
  byNumber('9007199254740993.0', 1),
  byNumber('9007199254740992', 0),
  byNumber('-9007199254740993', 1),
  byNumber('100000000000000000000', 1),
  byNumber('-0', 1),
  byNumber('0.000', 1),
  byNumber('00', 0),
]

export const ODD_QUESTIONS: Readonly<Record<TelemetrySignal, readonly Question[]>> = {
  traces: [
    ...NUMBER_QUESTIONS,
    bySomething('model')('asked', 1),
    bySomething('model')('answered', 1),
    bySomething('model')('5', 1),
    bySomething('model')('m'.repeat(1024), 0),
    bySomething('provider')('gcp.vertex_ai', 1),
    bySomething('provider')('openai', 1),
    bySomething('operation')('embeddings', 1),
    bySomething('prompt')('greet', 1),
    bySomething('user')('eve', 1),
    bySomething('user')('adam', 1),
    bySomething('session')('', 0),
    bySomething('name')('', 1),
    bySomething('minDuration')('0', 2),
    bySomething('maxDuration')('1000001ns', 2),
    bySomething('maxDuration')('1ms', 1),
    bySomething('kind')('server', 1),
  ],
  logs: [
    ...NUMBER_QUESTIONS,
    byNumber('42', 2),
    byNumber('42.0', 2),
    byNumber('NaN', 1),
    bySomething('attr.truth')('true', 2),
    bySomething('attr.truth')('null', 2),
    bySomething('attr.constructor')('x', 1),
    bySomething('attr.toString')('null', 1),
    bySomething('attr.__proto__')('x', 1),
    bySomething('attr.__proto__')('null', 0),
    bySomething('attr.valueOf')('null', 0),
    bySomething('attr.gen_ai.prompt.name')('x', 1),
    bySomething('attr.k\ufffd')('v\ufffd', 1),
    bySomething('name')('koala.seen', 1),
    bySomething('environment')('old', 2),
    bySomething('environment')('new', 1),
    bySomething('environment')('7', 0),
    byWords('koala', 2),
    byWords('secret', 0),
    byWords('-secret -koala -w*', 8),
    byWords('οδοσ', 1),
    byWords('οδος', 1),
    byWords('istanbul', 1),
    byWords('strasse', 1),
    byWords('école', 1),
    byWords('москва', 1),
    byWords('东*', 1),
    byWords('12345678901234567890', 1),
    byWords('"eucalyptus tree"', 1),
    byWords('"deep true eucalyptus"', 1),
    byWords('under*', 1),
    byWords('score', 1),
    byWords('slash', 1),
    byWords('w*', 1),
    byWords('v*', 0),
    byWords('"ww* behind"', 0),
    byWords(`"${'w'.repeat(900)}"`, 0),
    byWords('la', 1),
    byWords('last', 0),
    byWords('cut', 0),
    byWords('"two three"', 1),
    byWords('"two three five"', 1),
    byWords('"two three four"', 0),
    byWords('"one two" -"two five"', 1),
    byWords('"three two" OR koala', 3),
    byWords('cleaned', 1),
    byPart('', 11),
    byPart('οδοΣ', 1),
    byPart('ΟΔΟς', 1),
    byPart('i̇stanbul', 0),
    byPart('ISTANBUL', 1),
    byPart('STRASSE', 1),
    byPart('STRAßE', 1),
    byPart('école', 1),
    byPart('secret', 0),
    byPart('koala', 2),
    byPart('0% UNDER_', 1),
    byPart('k\\s', 1),
    byPart('w\nl', 1),
    byPart('cut off', 1),
    byPart('\ufffd and', 1),
    byPart('["koala",{', 1),
  ],
  metrics: [...NUMBER_QUESTIONS, bySomething('attr.gen_ai.prompt')('x', 1)],
}
