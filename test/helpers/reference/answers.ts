import { byTime, type Facts, given } from './facts.ts'
import type { ModelledEvaluation, ModelledPoint, ModelledRecords, ModelledSpan } from './random-records.ts'

/*
 * What the API should answer of records, in plain loops over all of them. Where an answer leaves open which of several things is told (two spans begin a trace in the same
 * nanosecond), the random records have one.
 */

/** A row of an answer. */
export type Row = Readonly<Record<string, unknown>>

/** Records by what they have in common. Without anything in common all are one group, which is there if it is empty. */
export function grouped<T extends Facts>(
  records: readonly T[],
  {
    by,
    step,
    measures,
  }: {
    readonly by: Readonly<Record<string, (record: T) => unknown>>
    readonly step?: bigint | undefined
    /** Of a group, and of the time of its step. */
    readonly measures: (records: readonly T[], time?: bigint) => Row
  },
): Row[] {
  type Group = { readonly head: Row; readonly members: T[] }
  const groups = new Map<string, Group>()
  const words = Object.entries(by)
  if (words.length === 0 && step === undefined) groups.set('', { head: {}, members: [...records] })
  else
    for (const record of records) {
      const head = {
        ...(step !== undefined && { timeUnixNano: String((record.at / step) * step) }),
        ...Object.fromEntries(words.map(([word, of]) => [word, of(record) ?? null])),
      }
      const key = JSON.stringify(head)
      const group: Group = groups.get(key) ?? { head, members: [] }
      groups.set(key, group)
      group.members.push(record)
    }
  return [...groups.values()].map(({ head, members }) => ({
    ...head,
    ...measures(members, 'timeUnixNano' in head ? BigInt(String(head.timeUnixNano)) : undefined),
  }))
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']
const STATUSES = ['unset', 'ok', 'error']
const AGENTS = ['create_agent', 'invoke_agent', 'invoke_workflow', 'execute_tool']
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

/** The levels of OpenTelemetry's severity numbers, four each. */
export function levelOf({ severityNumber = 0 }: Facts): string | null {
  return severityNumber === 0 ? null : (LEVELS[Math.floor((severityNumber - 1) / 4)] ?? null)
}

export const kindOf = ({ kind = 0 }: Facts) => KINDS[kind]
export const statusOf = ({ status = 0 }: Facts) => STATUSES[status]

const isError = ({ status }: Facts) => status === 2
const errorsOf = (records: readonly Facts[]) => records.filter(isError).length

function rateOf(records: readonly Facts[]): number | null {
  return records.length === 0 ? null : Number((errorsOf(records) / records.length).toFixed(6))
}

/** ln(1.02 / 0.98): values that are within 2 % of the middle of a bucket are told as that. */
const LN_GAMMA = 0.0400053346

function sketched(value: number): number {
  return value <= 0 ? 0 : Math.round(Math.exp((Math.ceil(Math.log(value) / LN_GAMMA) - 1) * LN_GAMMA) * 1.02)
}

/** The smallest value that so many are not above, as it is told. */
function quantiles(values: readonly (number | bigint | undefined)[]): Row | null {
  const sorted = values.flatMap((value) => (value === undefined ? [] : [Number(value)])).sort((a, b) => a - b)
  if (sorted.length === 0) return null
  const at = (percent: number) => {
    const exact = sorted[Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1)] ?? 0
    return Math.max(sorted[0] ?? 0, Math.min(sorted.at(-1) ?? 0, sketched(exact)))
  }
  return { p50: at(50), p90: at(90), p95: at(95), p99: at(99) }
}

const sum = (values: readonly (number | undefined)[]) =>
  values.reduce<number>((total, value) => total + (value ?? 0), 0)

/** Null where there is nothing to add. */
function sumOrNull(values: readonly (number | undefined)[]): number | null {
  return values.every((value) => value === undefined) ? null : sum(values)
}

export function spanMeasures(spans: readonly ModelledSpan[]): Row {
  return {
    count: spans.length,
    errorCount: errorsOf(spans),
    errorRate: rateOf(spans),
    durationNs: quantiles(spans.map(({ durationNs }) => durationNs)),
  }
}

/** Whether a span is a call of a model, and not what is around such calls. */
export function isCall({ model, operation = '' }: ModelledSpan): boolean {
  return model !== undefined && !AGENTS.includes(operation)
}

export function usageMeasures(calls: readonly ModelledSpan[]): Row {
  return {
    calls: calls.length,
    errorCount: errorsOf(calls),
    errorRate: rateOf(calls),
    inputTokens: sum(calls.map(({ inputTokens }) => inputTokens)),
    outputTokens: sum(calls.map(({ outputTokens }) => outputTokens)),
    cachedTokens: sum(calls.map(({ cachedTokens }) => cachedTokens)),
    cacheCreationTokens: 0,
    reasoningTokens: 0,
    cost: sum(calls.map(({ cost }) => cost)),
    callsWithoutCost: calls.filter(({ cost }) => cost === undefined).length,
    durationNs: quantiles(calls.map(({ durationNs }) => durationNs)),
    timeToFirstTokenNs: quantiles(calls.map(({ timeToFirstTokenNs }) => timeToFirstTokenNs)),
  }
}

export function pointMeasures(points: readonly ModelledPoint[]): Row {
  const newest = points.reduce<bigint | null>(
    (most, { at }) => (most === null || at > most ? at : most),
    null,
  )
  return {
    points: points.length,
    series: new Set(points.map(({ series }) => series)).size,
    newestUnixNano: newest === null ? null : String(newest),
  }
}

function usageOf(spans: readonly ModelledSpan[]) {
  const users = spans.filter(
    (span) =>
      [span.inputTokens, span.outputTokens, span.cost].some((each) => each !== undefined) &&
      !AGENTS.includes(span.operation ?? ''),
  )
  // What a span repeats of the one right below it counts once.
  const counted = users.filter((span) => !users.some(({ parentSpanId }) => parentSpanId === span.spanId))
  return {
    inputTokens: sumOrNull(counted.map(({ inputTokens }) => inputTokens)),
    outputTokens: sumOrNull(counted.map(({ outputTokens }) => outputTokens)),
    cost: sumOrNull(counted.map(({ cost }) => cost)),
  }
}

const withoutNull = (row: Row): Row =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
const distinct = (values: readonly (string | undefined)[]) =>
  [...new Set(values.filter((value) => value !== undefined))].sort()
const endOf = ({ at, durationNs = 0n }: Facts) => at + durationNs
const most = (values: readonly bigint[]) => values.reduce((a, b) => (a > b ? a : b))
const least = (values: readonly bigint[]) => values.reduce((a, b) => (a < b ? a : b))

function byTrace(spans: readonly ModelledSpan[]): ReadonlyMap<string, readonly ModelledSpan[]> {
  const traces = new Map<string, ModelledSpan[]>()
  for (const span of spans) traces.set(span.traceId, [...(traces.get(span.traceId) ?? []), span])
  return traces
}

/** Traces with a span that is found, those of the newest such spans first, each with what it is as a whole. */
export function tracesOf(found: readonly ModelledSpan[], all: readonly ModelledSpan[]): Row[] {
  const whole = byTrace(all)
  const newest = [...byTrace(found)].map(([traceId, spans]) => ({
    traceId,
    at: most(spans.map(({ at }) => at)),
  }))
  newest.sort((a, b) => (a.at === b.at ? (a.traceId < b.traceId ? 1 : -1) : a.at < b.at ? 1 : -1))
  return newest.map(({ traceId }) => {
    const spans = whole.get(traceId) ?? []
    const start = least(spans.map(({ at }) => at))
    const root = spans.find(({ parentSpanId }) => parentSpanId === undefined)
    return {
      traceId,
      startTimeUnixNano: String(start),
      durationNs: Number(most(spans.map(endOf)) - start),
      name: root?.name,
      service: root?.service,
      services: distinct(spans.map(({ service }) => service)),
      spanCount: spans.length,
      errorCount: errorsOf(spans),
      ...withoutNull(usageOf(spans)),
    }
  })
}

/** In any order: which is newer is told by microseconds. */
export function sessionsOf(found: readonly ModelledSpan[], all: readonly ModelledSpan[]): Row[] {
  const whole = byTrace(all)
  return distinct(found.map(({ session }) => session)).map((session) => {
    const spans = found.filter((span) => span.session === session)
    const traces = distinct(spans.map(({ traceId }) => traceId)).map(
      (traceId) => whole.get(traceId ?? '') ?? [],
    )
    const usages = traces.map(usageOf)
    const total = (word: 'inputTokens' | 'outputTokens' | 'cost') =>
      sumOrNull(usages.map((usage) => usage[word] ?? undefined))
    return {
      sessionId: session,
      userIds: distinct(spans.map(({ user }) => user)),
      services: distinct(spans.map(({ service }) => service)),
      startTimeUnixNano: String(least(spans.map(({ at }) => at))),
      endTimeUnixNano: String(most(spans.map(endOf))),
      turnCount: traces.length,
      errorCount: errorsOf(traces.flat()),
      ...withoutNull({
        inputTokens: total('inputTokens'),
        outputTokens: total('outputTokens'),
        cost: total('cost'),
      }),
    }
  })
}

/** By name. A filter is of the records alone: environments are those that a service ever had, and metrics, too. */
export function servicesOf(
  found: Pick<ModelledRecords, 'spans' | 'logs' | 'points'>,
  all: Pick<ModelledRecords, 'spans' | 'logs' | 'points'>,
): Row[] {
  const everything = [...all.spans, ...all.logs, ...all.points]
  const has = (records: readonly Facts[], service: string | undefined) =>
    records.some((record) => record.service === service)
  return distinct(everything.map(({ service }) => service)).flatMap((service) => {
    const signals = [
      ...(has(found.spans, service) ? ['traces'] : []),
      ...(has(found.points, service) ? ['metrics'] : []),
      ...(has(found.logs, service) ? ['logs'] : []),
    ]
    const ofService = everything.filter((record) => record.service === service)
    const environments = distinct(ofService.map(({ environment }) => environment))
    return signals.length === 0 ? [] : [{ service, environments, signals }]
  })
}

export const operationBy = {
  service: ({ service }: ModelledSpan) => service,
  name: ({ name }: ModelledSpan) => name,
  kind: kindOf,
}

export function operationMeasures(spans: readonly ModelledSpan[]): Row {
  return { spanCount: spans.length, errorCount: errorsOf(spans) }
}

const HOUR = 3_600_000_000_000n

/** Calls between services. A parent may be an hour outside of the time range. */
export function dependenciesOf(
  spans: readonly ModelledSpan[],
  {
    from,
    to,
    service,
  }: {
    readonly from?: bigint | undefined
    readonly to?: bigint | undefined
    readonly service?: string | undefined
  },
): Row[] {
  const within = ({ at }: Facts, around: bigint) =>
    (from === undefined || at >= from - around) && (to === undefined || at < to + around)
  const calls = spans
    .filter((child) => within(child, 0n))
    .flatMap((child) =>
      spans
        .filter(
          (span) =>
            within(span, HOUR) && span.traceId === child.traceId && span.spanId === child.parentSpanId,
        )
        .map((parent) => ({ ...child, parent: parent.service, child: child.service })),
    )
    .filter(({ parent, child }) => parent !== child)
    .filter(({ parent, child }) => service === undefined || [parent, child].includes(service))
  return grouped(calls, {
    by: { parent: ({ parent }) => parent, child: ({ child }) => child },
    measures: (members) => ({
      callCount: members.length,
      errorCount: errorsOf(members),
      durationNs: quantiles(members.map(({ durationNs }) => durationNs)),
    }),
  })
}

export function evaluationJson(evaluation: ModelledEvaluation): Row {
  const { at, place: _, attributes: __, prompt, user, session, ...others } = evaluation
  return given({
    ...{ ...others, timeUnixNano: String(at), promptName: prompt, userId: user, sessionId: session },
  })
}

export function evaluationMeasures(evaluations: readonly ModelledEvaluation[]): Row {
  const scores = evaluations.flatMap(({ score }) => score ?? [])
  const labels = evaluations.flatMap(({ label }) => label ?? [])
  return {
    count: evaluations.length,
    scored: scores.length,
    average: scores.length === 0 ? null : sum(scores) / scores.length,
    min: scores.length === 0 ? null : Math.min(...scores),
    max: scores.length === 0 ? null : Math.max(...scores),
    labels: Object.fromEntries(
      distinct(labels).map((label) => [label, labels.filter((each) => each === label).length]),
    ),
    errors: evaluations.filter(({ errorType }) => errorType !== undefined).length,
  }
}

/** The newest point of each series. */
export function latestOf(found: readonly ModelledPoint[]): ModelledPoint[] {
  const newest = new Map([...found].sort(byTime).map((point) => [point.series, point]))
  return [...newest.values()]
}

/** How far before the time range a counter is looked at. */
const LOOKBACK = 900_000_000_000n

/** What each point of a counter in the time range added, undefined where it is not known. */
function increases(
  points: readonly ModelledPoint[],
  { from, to }: { readonly from?: bigint | undefined; readonly to?: bigint | undefined },
): ReadonlyMap<ModelledPoint, number | undefined> {
  const added = new Map<ModelledPoint, number | undefined>()
  const previous = new Map<string, ModelledPoint>()
  for (const point of [...points].sort(byTime)) {
    const { at, series, value, startedAt, isDelta, isMonotonic } = point
    if ((from !== undefined && at < from - LOOKBACK) || (to !== undefined && at >= to)) continue
    const before = previous.get(series)
    previous.set(series, point)
    if (from !== undefined && at < from) continue
    const isKnown = startedAt !== undefined && (from === undefined || startedAt >= from)
    const isAnew =
      before !== undefined &&
      ((startedAt !== undefined && startedAt > before.at) || (isMonotonic && value < before.value))
    if (isDelta || isAnew) added.set(point, value)
    else if (before === undefined) added.set(point, isKnown ? value : undefined)
    else added.set(point, value - before.value)
  }
  return added
}

/** What can be asked of metrics in numbers. */
export const AGGREGATES: Readonly<Record<string, readonly string[]>> = {
  gauge: ['avg', 'sum', 'min', 'max', 'count', 'last', 'p50', 'p90', 'p99.9', 'p0', 'p100'],
  counter: ['rate', 'increase', 'sum', 'count', 'last'],
  updowncounter: ['avg', 'sum', 'min', 'max', 'count', 'last', 'rate', 'increase', 'p50', 'p25'],
}

export interface SeriesQuestion {
  readonly from?: bigint | undefined
  readonly to?: bigint | undefined
  readonly aggregates: readonly string[]
  readonly by: Readonly<Record<string, (point: ModelledPoint) => unknown>>
  readonly step?: bigint | undefined
}

/**
 * A time series, in any order.
 *
 * @param points that match, whenever they are.
 */
export function seriesOf(
  points: readonly ModelledPoint[],
  { from, to, aggregates, by, step }: SeriesQuestion,
): Row[] {
  const added = increases(points, { from, to })
  const found = points.filter(({ at }) => (from === undefined || at >= from) && (to === undefined || at < to))
  const labels = (point: ModelledPoint) =>
    Object.fromEntries(Object.entries(by).map(([label, of]) => [label, of(point) ?? null]))
  return grouped(found, {
    by: { labels },
    step,
    measures: (members) => {
      const [{ at } = { at: 0n }] = members
      const start = step === undefined ? from : later((at / step) * step, from)
      const end = step === undefined ? to : earlier((at / step) * step + step, to)
      const seconds = start === undefined || end === undefined ? 0 : Number(end - start) / 1e9
      const increase = sumOrNull(members.map((point) => added.get(point)))
      const told = aggregates.map((word) => [word, aggregate(word, { members, increase, seconds })])
      return Object.fromEntries(told)
    },
  })
}

const later = (a: bigint, b: bigint | undefined) => (b !== undefined && b > a ? b : a)
const earlier = (a: bigint, b: bigint | undefined) => (b !== undefined && b < a ? b : a)

function aggregate(
  word: string,
  {
    members,
    increase,
    seconds,
  }: {
    readonly members: readonly ModelledPoint[]
    readonly increase: number | null
    readonly seconds: number
  },
): unknown {
  const values = members.map(({ value }) => value).sort((a, b) => a - b)
  const isCounter = members[0]?.type === 'counter'
  switch (word) {
    case 'increase':
      return increase
    case 'rate':
      return increase === null ? null : increase / seconds
    case 'sum':
      return isCounter ? increase : sum(values)
    case 'avg':
      return sum(values) / values.length
    case 'min':
      return values[0]
    case 'max':
      return values.at(-1)
    case 'count':
      return values.length
    case 'last':
      return [...members].sort(byTime).at(-1)?.value
    default:
      return percentile(values, Number(word.slice(1)))
  }
}

/** Between the two values beside it. */
function percentile(sorted: readonly number[], percent: number): number {
  const place = (percent / 100) * (sorted.length - 1)
  const [low = 0, high = low] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]]
  return low + (high - low) * (place - Math.floor(place))
}
