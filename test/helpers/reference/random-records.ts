import fc from 'fast-check'
import { type Facts, given, type Sent } from './facts.ts'

/*
 * Random records of small alphabets: most filters find some of them and leave out others, many have the same time, and others differ by a nanosecond. Each is sent
 * in full names and normal form, so it must be read back just so.
 */

const SECOND = 1_000_000_000n
const MINUTE = 60n * SECOND
const HOUR = 60n * MINUTE
const DAY = 24n * HOUR

export const SERVICES = ['api', 'web', 'unknown_service'] as const
export const ENVIRONMENTS = ['prod', 'test'] as const
export const SPAN_NAMES = ['GET /', 'chat', 'Chat', 'find "x" & y'] as const
export const EVENT_NAMES = ['cart.filled', 'session.end'] as const
export const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const
export const STATUSES = ['unset', 'ok', 'error'] as const
/** Nanoseconds. */
export const DURATIONS = [0n, 7n, 999_999n, 1_000_000n, 1_000_001n, 250_000_000n, 1_500_000_000n, 3n * MINUTE]
export const MODELS = ['m-small', 'm-large'] as const
export const PROVIDERS = ['openai', 'anthropic'] as const
export const OPERATIONS = ['chat', 'embeddings', 'invoke_agent', 'execute_tool'] as const
export const PROMPTS = ['greeting', 'summary'] as const
export const USERS = ['ada', 'bob'] as const
export const SESSIONS = ['s1', 's2', 's3'] as const
export const EVALUATION_NAMES = ['relevance', 'tone'] as const
export const LABELS = ['pass', 'fail'] as const
export const ZONES = ['a', 'b'] as const
/** Of which bodies are made, with what is between and around words. */
export const BODY_PARTS = [
  'disk',
  'full',
  'Timeout',
  'UPSTREAM',
  'retry,',
  '(ok)',
  'Café!',
  '50%',
  '_',
] as const
/** One key with values that look alike. */
export const ALIKE = ['42', 42, 42.5, true, 'true', null, 'null', [42], { a: 42 }] as const

export interface ModelledSpan extends Facts, Sent {
  readonly traceId: string
  readonly spanId: string
  readonly name: string
  readonly parentSpanId: string | undefined
  readonly promptVersion: string | undefined
  readonly finishReason: string | undefined
  readonly errorType: string | undefined
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly cachedTokens: number | undefined
  readonly cost: number | undefined
  readonly timeToFirstTokenNs: number | undefined
}

export interface ModelledLog extends Facts, Sent {}

export interface ModelledEvaluation extends Facts {
  readonly name: string
  readonly score: number | undefined
  readonly errorType: string | undefined
  readonly evaluator: string | undefined
  readonly promptVersion: string | undefined
}

export const METRICS = [
  { name: 'queue', type: 'gauge', unit: '{job}' },
  { name: 'load', type: 'gauge' },
  { name: 'requests', type: 'counter', temporality: 'cumulative', isMonotonic: true },
  { name: 'sent', type: 'counter', temporality: 'delta', isMonotonic: true, unit: 'By' },
  { name: 'balance', type: 'updowncounter', temporality: 'cumulative', isMonotonic: false },
] as const
export type MetricName = (typeof METRICS)[number]['name']

export interface ModelledPoint extends Facts, Sent {
  readonly name: MetricName
  readonly type: string
  readonly unit: string | undefined
  readonly isDelta: boolean
  readonly isMonotonic: boolean
  readonly startedAt: bigint | undefined
  readonly value: number
  readonly host: string | undefined
  /** Points with the same are of one series. */
  readonly series: string
}

/** All that is sent. */
export interface ModelledRecords {
  readonly spans: readonly ModelledSpan[]
  readonly logs: readonly ModelledLog[]
  readonly points: readonly ModelledPoint[]
  /** Told by some of the logs. */
  readonly evaluations: readonly ModelledEvaluation[]
}

const maybe = <T>(values: readonly T[]): fc.Arbitrary<T | undefined> =>
  fc.option(fc.constantFrom(...values), { nil: undefined })

/** Of three days before `nowMs` and the minutes after it, at and beside the midnights between: in three groups, each of less than a day. */
function times(nowMs: number): readonly fc.Arbitrary<bigint>[] {
  const now = ((BigInt(nowMs) * 1_000_000n) / SECOND) * SECOND
  const midnight = (now / DAY) * DAY
  const beside = [0n, 0n, 0n, 1n, 2n, 999n, 1000n, 1001n, 1_000_000n, SECOND, 30n * SECOND, 61n * SECOND]
  return [
    [20n, -5n, -6n, -40n, -180n].map((minutes) => now + minutes * MINUTE),
    [midnight, midnight - 1n, midnight - 1000n, midnight - 2n * HOUR],
    [midnight - DAY, midnight - DAY - 1n, now - 26n * HOUR],
  ].map((instants) =>
    fc
      .tuple(fc.constantFrom(...instants), fc.constantFrom(...beside))
      .map(([instant, offset]) => instant + offset),
  )
}

interface Origin {
  readonly service: (typeof SERVICES)[number]
  readonly environment?: (typeof ENVIRONMENTS)[number] | undefined
  readonly host?: string | undefined
}

/** Where a record comes from: what is known of it, and how it is sent. */
function originOf({ service, environment, host }: Origin) {
  return {
    facts: { service, environment, host },
    json: {
      service,
      resource: {
        attributes: given({
          'service.name': service === 'unknown_service' ? undefined : service,
          'deployment.environment.name': environment,
          'host.name': host,
        }),
      },
      scope: { attributes: {} },
    },
  }
}

const origin = fc
  .record({ service: fc.constantFrom(...SERVICES), environment: maybe(ENVIRONMENTS), host: maybe(['h1']) })
  .map(originOf)

/** Few, so that there are many points of each. */
const SOURCES = [
  {
    origin: originOf({ service: 'api', environment: 'prod', host: 'h1' }),
    attributes: { zone: 'a', alike: 42 },
  },
  {
    origin: originOf({ service: 'api', environment: 'prod', host: 'h1' }),
    attributes: { zone: 'b', alike: '42' },
  },
  { origin: originOf({ service: 'web', environment: 'test' }), attributes: { zone: 'a' } },
  { origin: originOf({ service: 'unknown_service', host: 'h2' }), attributes: {} },
]

const looseAttributes = fc
  .record({
    alike: fc.option(fc.constantFrom(...ALIKE), { nil: undefined }),
    'http.route': maybe(['/', '/cart']),
    count: maybe([0, 1, -2]),
  })
  .map(given)

const call = fc.record({
  operation: maybe(OPERATIONS),
  provider: maybe(PROVIDERS),
  requestModel: maybe(MODELS),
  responseModel: maybe([...MODELS, 'm-tuned']),
  promptName: maybe(PROMPTS),
  promptVersion: maybe(['1', '2']),
  user: maybe(USERS),
  session: maybe(SESSIONS),
  finishReason: maybe(['stop', 'length']),
  errorType: maybe(['timeout']),
  inputTokens: maybe([100, 250, 1000]),
  outputTokens: maybe([0, 10, 70]),
  cachedTokens: maybe([0, 40]),
  cost: maybe([0, 0.25, 1.5]),
  timeToFirstTokenNs: maybe([250_000_000, 500_000_000]),
})
type Call = typeof call extends fc.Arbitrary<infer T> ? Partial<T> : never

function callAttributes(of: Call): Record<string, unknown> {
  return given({
    'gen_ai.operation.name': of.operation,
    'gen_ai.provider.name': of.provider,
    'gen_ai.request.model': of.requestModel,
    'gen_ai.response.model': of.responseModel,
    'gen_ai.prompt.name': of.promptName,
    'gen_ai.prompt.version': of.promptVersion,
    'user.id': of.user,
    'gen_ai.conversation.id': of.session,
    'gen_ai.response.finish_reasons': of.finishReason && [of.finishReason],
    'error.type': of.errorType,
    'gen_ai.usage.input_tokens': of.inputTokens,
    'gen_ai.usage.output_tokens': of.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': of.cachedTokens,
    'gen_ai.usage.cost': of.cost,
    'gen_ai.response.time_to_first_chunk': of.timeToFirstTokenNs && of.timeToFirstTokenNs / 1e9,
  })
}

const hex = (value: bigint, digits: number) => value.toString(16).padStart(digits, '0')

function arbitrarySpans(nowMs: number, traceCount: number): fc.Arbitrary<ModelledSpan[]> {
  const span = (at: fc.Arbitrary<bigint>) =>
    fc.record({
      at,
      origin,
      parent: fc.nat({ max: 9 }),
      name: fc.constantFrom(...SPAN_NAMES),
      kind: fc.constantFrom(...KINDS),
      status: fc.constantFrom(...STATUSES),
      message: maybe(['failed']),
      durationNs: maybe(DURATIONS),
      attributes: looseAttributes,
      call: fc.option(call, { nil: {} as Call }),
    })
  const traceHead = fc.bigInt({ min: 1n, max: 2n ** 100n }).map((id) => id << 16n)
  // A trace takes less than a day: what a list tells of a longer one is left open.
  const trace = fc
    .constantFrom(...times(nowMs))
    .chain((at) => fc.tuple(traceHead, fc.array(span(at), { minLength: 1, maxLength: 9 })))
  return fc.array(trace, { minLength: traceCount, maxLength: traceCount }).map((traces) => {
    const spans: ModelledSpan[] = []
    traces.forEach(([head, drawn], number) => {
      // The end tells traces apart, the beginning is any: they are not in the order in which they were sent.
      const traceId = hex(head + BigInt(number), 32)
      const ids = drawn.map((_, index) => hex(0xabcd_0000_0000_0000n + BigInt(spans.length + index), 16))
      drawn.forEach((each, index) => {
        const { at, kind, status, name, durationNs, message } = each
        // A parent before it in the list, or one that was never sent: the first alone has none.
        const parentSpanId = index === 0 ? undefined : (ids.slice(0, index)[each.parent] ?? 'f'.repeat(16))
        const attributes = { ...each.attributes, ...callAttributes(each.call) }
        const { operation, provider, promptName: prompt, requestModel, responseModel, ...rest } = each.call
        spans.push({
          ...each.origin.facts,
          ...emptyCall,
          ...rest,
          ...{ at, place: spans.length, name, durationNs, attributes, traceId, parentSpanId, operation },
          ...{ provider, prompt, spanId: ids[index] ?? '', model: responseModel ?? requestModel },
          kind: KINDS.indexOf(kind) as 0 | 1,
          status: STATUSES.indexOf(status) as 0 | 1 | 2,
          json: given({
            ...{ traceId, spanId: ids[index], parentSpanId, name, kind, attributes, events: [], links: [] },
            startTimeUnixNano: String(at),
            endTimeUnixNano: durationNs === undefined ? undefined : String(at + durationNs),
            status: given({ code: status, message }),
            ...each.origin.json,
          }),
        })
      })
    })
    return spans
  })
}

const emptyCall = {
  ...{ promptVersion: undefined, finishReason: undefined, errorType: undefined, inputTokens: undefined },
  ...{ outputTokens: undefined, cachedTokens: undefined, cost: undefined, timeToFirstTokenNs: undefined },
}

function arbitraryLogs(
  nowMs: number,
  { count, spans }: { readonly count: number; readonly spans: readonly ModelledSpan[] },
): fc.Arbitrary<ModelledLog[]> {
  const body = fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .array(fc.constantFrom(...BODY_PARTS), { minLength: 1, maxLength: 4 })
        .map((parts) => parts.join(' ')),
    },
    { weight: 1, arbitrary: fc.constant({ event: 'disk full' }) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  )
  const log = fc.record({
    at: fc.oneof(...times(nowMs)),
    origin,
    body,
    name: maybe(EVENT_NAMES),
    severityNumber: fc.option(fc.integer({ min: 1, max: 24 }), { nil: undefined }),
    severityText: maybe(['LOUD']),
    attributes: looseAttributes,
    span: fc.option(fc.constantFrom(...spans), { nil: undefined }),
    namesSpan: fc.boolean(),
  })
  return fc.array(log, { minLength: count, maxLength: count }).map((logs) =>
    logs.map(({ at, body: said, name, severityNumber, severityText, span, namesSpan, ...each }, place) => {
      const attributes = { ...each.attributes, n: place }
      const traceId = span?.traceId
      const spanId = namesSpan ? span?.spanId : undefined
      return {
        ...{ at, place, name, attributes, traceId, spanId, ...each.origin.facts },
        severityNumber: severityNumber ?? 0,
        body: typeof said === 'object' ? JSON.stringify(said) : said,
        json: given({
          ...{ timeUnixNano: String(at), severityNumber, severityText, eventName: name, traceId, spanId },
          ...{ body: said, attributes, ...each.origin.json },
        }),
      }
    }),
  )
}

/** Log records that judge spans, each a little later than what it judges. */
function arbitraryEvaluations({
  count,
  spans,
  firstPlace,
}: {
  readonly count: number
  readonly spans: readonly ModelledSpan[]
  readonly firstPlace: number
}): fc.Arbitrary<{ readonly log: ModelledLog; readonly evaluation: ModelledEvaluation }[]> {
  const judgement = fc.record({
    span: fc.constantFrom(...spans),
    later: fc.constantFrom(0n, 1n, SECOND, 10n * MINUTE),
    name: fc.constantFrom(...EVALUATION_NAMES),
    score: maybe([0, 0.25, 0.5, 1]),
    label: maybe(LABELS),
    errorType: maybe(['timeout']),
    evaluator: maybe(['human', 'judge']),
    session: maybe(SESSIONS),
    origin,
  })
  return fc
    .array(
      judgement.filter(({ score, label, errorType }) =>
        [score, label, errorType].some((each) => each !== undefined),
      ),
      { minLength: count, maxLength: count },
    )
    .map((judgements) =>
      judgements.map(({ span, later, name, score, label, errorType, evaluator, session, ...each }, index) => {
        const place = firstPlace + index
        const at = span.at + later
        const { traceId, spanId } = span
        const attributes = given({
          n: place,
          'gen_ai.evaluation.name': name,
          'gen_ai.evaluation.score.value': score,
          'gen_ai.evaluation.score.label': label,
          'gen_ai.evaluator.name': evaluator,
          'error.type': errorType,
          'gen_ai.conversation.id': session,
        })
        const eventName = 'gen_ai.evaluation.result'
        const { service, operation, provider, model, prompt, promptVersion, user } = span
        return {
          log: {
            ...{
              at,
              place,
              name: eventName,
              attributes,
              traceId,
              spanId,
              severityNumber: 0,
              ...each.origin.facts,
            },
            json: given({
              timeUnixNano: String(at),
              eventName,
              traceId,
              spanId,
              attributes,
              ...each.origin.json,
            }),
          },
          evaluation: {
            ...{ at, place, name, score, label, errorType, evaluator, attributes, traceId, spanId },
            ...{ service, operation, provider, model, prompt, promptVersion, user },
            session: session ?? span.session,
          },
        }
      }),
    )
}

function arbitraryPoints(nowMs: number, count: number): fc.Arbitrary<ModelledPoint[]> {
  const now = ((BigInt(nowMs) * 1_000_000n) / MINUTE) * MINUTE
  const at = fc
    .tuple(
      fc.constantFrom(now - 60n * MINUTE, now - 60n * MINUTE, (now / DAY) * DAY - 30n * MINUTE),
      fc.bigInt({ min: 0n, max: 12n }),
      fc.constantFrom(0n, 0n, 1n, 1001n, 30n * SECOND),
    )
    .map(([start, steps, beside]) => start + steps * 5n * MINUTE + beside)
  const point = fc.record({
    at,
    metric: fc.constantFrom(...METRICS),
    source: fc.constantFrom(...SOURCES),
    whole: fc.nat({ max: 50 }),
    begun: maybe([0n, 4n * MINUTE, 10n * MINUTE, 40n * MINUTE, 2n * HOUR]),
  })
  return fc.array(point, { minLength: count, maxLength: count }).map((points) =>
    points.map(({ at: time, metric, source, whole, begun }, place) => {
      const { attributes, origin: of } = source
      // The fraction tells points apart, and is exact.
      const value = whole + place / 1024
      const startedAt = begun === undefined ? undefined : time - begun
      return {
        ...{ at: time, place, attributes, value, startedAt, name: metric.name, type: metric.type },
        ...of.facts,
        unit: 'unit' in metric ? metric.unit : undefined,
        isDelta: 'temporality' in metric && metric.temporality === 'delta',
        isMonotonic: metric.type === 'counter',
        series: JSON.stringify([metric.name, of.json, attributes]),
        json: given({
          ...{ ...metric, timeUnixNano: String(time), value, attributes, exemplars: [], ...of.json },
          startTimeUnixNano: startedAt === undefined ? undefined : String(startedAt),
        }),
      }
    }),
  )
}

/** Random records of all signals: the same for the same seed, but for when they are. */
export function randomRecords(seed: number, nowMs: number): ModelledRecords {
  const one = <T>(arbitrary: fc.Arbitrary<T>) => fc.sample(arbitrary, { seed, numRuns: 1 })[0] as T
  const spans = one(arbitrarySpans(nowMs, 60))
  const logs = one(arbitraryLogs(nowMs, { count: 220, spans }))
  const judged = one(arbitraryEvaluations({ count: 40, spans, firstPlace: logs.length }))
  return {
    spans,
    logs: [...logs, ...judged.map(({ log }) => log)],
    points: one(arbitraryPoints(nowMs, 240)),
    evaluations: judged.map(({ evaluation }) => evaluation),
  }
}
