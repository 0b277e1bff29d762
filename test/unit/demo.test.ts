import { describe, expect, test } from 'vitest'
import { Random } from '../../src/demo/random.ts'
import { runDemo } from '../../src/demo/run-demo.ts'
import { createWorkload, type DemoTelemetry } from '../../src/demo/workload.ts'
import type { DataPoint } from '../../src/models/data-point.ts'
import { createDecodeContext } from '../../src/models/decode-context.ts'
import { RECORD_DECODERS } from '../../src/models/decode-record.ts'
import { parseJson } from '../../src/models/json.ts'
import type { LogRecord } from '../../src/models/log-record.ts'
import type { Span } from '../../src/models/span.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import type { Producer } from '../../src/producer.ts'

const START_MS = Date.parse('2026-03-01T12:00:00Z')
const TICK_MS = 250
const NANOS_PER_MS = 1_000_000n

function run(seed: number, seconds: number): DemoTelemetry {
  const workload = createWorkload({ seed, tracesPerSecond: 20 })
  const all: DemoTelemetry = { traces: [], logs: [], metrics: [] }
  for (let ms = 0; ms < seconds * 1000; ms += TICK_MS) {
    const telemetry = workload.generate(new Date(START_MS + ms))
    for (const signal of TELEMETRY_SIGNALS) all[signal].push(...telemetry[signal])
  }
  return all
}

/** As ingest sees them: what came through JSON. Refused records fail the test. */
function decode<T>(signal: TelemetrySignal, records: readonly object[]): T[] {
  const context = createDecodeContext({
    earliest: BigInt(START_MS - 3_600_000) * NANOS_PER_MS,
    latest: BigInt(START_MS + 3_600_000) * NANOS_PER_MS,
    maxRecordBytes: 1024 * 1024,
    maxDepth: 32,
  })
  const outcomes = records.map((record) =>
    RECORD_DECODERS[signal](parseJson(JSON.stringify(record)).value, context),
  )
  expect(outcomes.filter(({ rejection }) => rejection !== undefined)).toEqual([])
  return outcomes.map(({ record }) => record as T)
}

describe('ten minutes of the demo', () => {
  const telemetry = run(42, 600)
  const spans = decode<Span>('traces', telemetry.traces)
  const logs = decode<LogRecord>('logs', telemetry.logs)
  const points = decode<DataPoint>('metrics', telemetry.metrics)
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const traces = groupByTrace(spans)
  const chats = spans.filter((span) => span.attributes['gen_ai.operation.name'] === 'chat')

  test('have about as many traces as asked for, of several spans each', () => {
    expect(traces.size).toBeGreaterThan(20 * 600 * 0.95)
    expect(traces.size).toBeLessThan(20 * 600 * 1.05)
    expect(spans.length / traces.size).toBeGreaterThan(5)
    expect(byId.size).toBe(spans.length)
  })

  test('have one root per trace, and every child lies within its parent', () => {
    const roots = spans.filter((span) => span.parentSpanId === undefined)
    expect(roots).toHaveLength(traces.size)
    expect(new Set(roots.map((span) => span.traceId)).size).toBe(traces.size)
    const astray = spans.filter((span) => {
      const parent = span.parentSpanId === undefined ? span : byId.get(span.parentSpanId)
      const [end, parentEnd] = [span.endTimeUnixNano ?? -1n, parent?.endTimeUnixNano ?? -1n]
      return (
        parent?.traceId !== span.traceId ||
        span.startTimeUnixNano < parent.startTimeUnixNano ||
        end > parentEnd
      )
    })
    expect(astray).toEqual([])
  })

  test('have an error in about 3 % of the traces, with an exception event and a correlated error log', () => {
    const failed = [...traces.values()].filter((trace) => trace.some((span) => span.status.code === 2))
    expect(failed.length / traces.size).toBeGreaterThan(0.02)
    expect(failed.length / traces.size).toBeLessThan(0.06)
    const errorLogs = new Set(logs.filter((log) => log.severityNumber === 17).map((log) => log.spanId))
    for (const trace of failed) {
      const culprits = trace.filter((span) => span.events.some((event) => event.name === 'exception'))
      expect(culprits.length).toBeGreaterThan(0)
      for (const span of culprits) {
        expect(span.status.code).toBe(2)
        expect(span.attributes['error.type']).toEqual(expect.any(String))
        expect(errorLogs.has(span.spanId)).toBe(true)
      }
    }
    const types = new Set(chats.flatMap((span) => span.attributes['error.type'] ?? []))
    expect(types).toEqual(new Set(['429', 'timeout']))
  })

  test('have several models, providers, services and environments', () => {
    const distinct = (of: (span: Span) => unknown) =>
      new Set(spans.map(of).filter((value) => value !== undefined)).size
    expect(distinct((span) => span.attributes['gen_ai.request.model'])).toBeGreaterThan(6)
    expect(distinct((span) => span.attributes['gen_ai.provider.name'])).toBe(4)
    expect(distinct((span) => span.service)).toBe(4)
    expect(distinct((span) => span.resource.attributes['deployment.environment.name'])).toBe(2)
    expect(distinct((span) => span.attributes['gen_ai.conversation.id'])).toBeGreaterThan(100)
    const operations = new Set(spans.map((span) => span.attributes['gen_ai.operation.name']))
    for (const operation of ['invoke_agent', 'retrieval', 'embeddings', 'execute_tool', 'chat']) {
      expect(operations).toContain(operation)
    }
  })

  test('have token counts that add up, and calls that are slow', () => {
    const answered = chats.filter((span) => span.status.code !== 2)
    const odd = answered.filter(({ attributes }) => {
      const count = (name: string) => Number(attributes[`gen_ai.usage.${name}`] ?? 0)
      return (
        count('input_tokens') <= count('cache_read.input_tokens') ||
        count('output_tokens') <= count('reasoning.output_tokens') ||
        (attributes['gen_ai.response.finish_reasons'] as unknown[]).length !== 1 ||
        !(Number(attributes['gen_ai.response.time_to_first_chunk']) > 0)
      )
    })
    expect(odd).toEqual([])
    const seconds = answered.map(
      (span) => Number((span.endTimeUnixNano ?? 0n) - span.startTimeUnixNano) / 1e9,
    )
    const sorted = seconds.toSorted((a, b) => a - b)
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0
    expect(median).toBeGreaterThan(1)
    expect(median).toBeLessThan(6)
    expect(sorted.at(-1)).toBeGreaterThan(4 * median)
    expect(answered.some((span) => Number(span.attributes['gen_ai.usage.reasoning.output_tokens']) > 0)).toBe(
      true,
    )
    expect(answered.some((span) => Number(span.attributes['gen_ai.usage.cache_read.input_tokens']) > 0)).toBe(
      true,
    )
  })

  test('have logs that belong to a span of their trace and service', () => {
    expect(logs.length / traces.size).toBeGreaterThan(2)
    const astray = logs.filter((log) => {
      const span = byId.get(log.spanId ?? '')
      return span?.traceId !== log.traceId || span?.service !== log.service
    })
    expect(astray).toEqual([])
  })

  test('have cumulative metrics that agree with the spans', () => {
    const last = BigInt(START_MS + 600_000 - 5000) * NANOS_PER_MS
    const latest = points.filter((point) => point.timeUnixNano >= last)
    const total = (name: string, of: (point: DataPoint) => number) =>
      latest.filter((point) => point.metric.name === name).reduce((sum, point) => sum + of(point), 0)
    const requests = total('gateway.requests', ({ measurement }) =>
      measurement.kind === 'number' ? Number(measurement.value) : Number.NaN,
    )
    expect(requests).toBeGreaterThan(traces.size * 0.98)
    expect(requests).toBeLessThanOrEqual(traces.size)
    for (const { measurement, metric } of latest) {
      if (measurement.kind !== 'histogram') continue
      expect(metric.temporality).toBe('cumulative')
      expect(measurement.bucketCounts.reduce((sum, count) => sum + count, 0n)).toBe(measurement.count)
    }
    const names = new Set(latest.map((point) => point.metric.name))
    expect(names).toEqual(
      new Set([
        'gen_ai.client.operation.duration',
        'gen_ai.client.token.usage',
        'gateway.requests',
        'agent.queue.depth',
        'process.memory.usage',
      ]),
    )
  })
})

function groupByTrace(spans: readonly Span[]): Map<string, Span[]> {
  const traces = new Map<string, Span[]>()
  for (const span of spans) {
    const trace = traces.get(span.traceId)
    if (trace === undefined) traces.set(span.traceId, [span])
    else trace.push(span)
  }
  return traces
}

test('nothing is later than now, and nothing ends before the tick before', () => {
  const workload = createWorkload({ seed: 7, tracesPerSecond: 50 })
  for (let ms = 0; ms < 20_000; ms += TICK_MS) {
    const { traces, logs } = workload.generate(new Date(START_MS + ms))
    const now = BigInt(START_MS + ms) * NANOS_PER_MS
    const roots = decode<Span>('traces', traces).filter((span) => span.parentSpanId === undefined)
    const tickMs = ms === 0 ? 1000 : TICK_MS
    for (const { endTimeUnixNano = 0n } of roots) {
      expect(endTimeUnixNano).toBeLessThanOrEqual(now)
      expect(endTimeUnixNano).toBeGreaterThanOrEqual(now - BigInt(tickMs) * NANOS_PER_MS)
    }
    for (const log of decode<LogRecord>('logs', logs)) {
      expect(log.observedTimeUnixNano ?? 0n).toBeLessThanOrEqual(now)
    }
  }
})

test('the same seed gives the same telemetry, another one gives another', () => {
  expect(run(1, 10)).toEqual(run(1, 10))
  expect(run(1, 10)).not.toEqual(run(2, 10))
})

test('a clock that stood still or was set back gives nothing, and a long sleep is not made up for', () => {
  const workload = createWorkload({ seed: 3, tracesPerSecond: 20 })
  workload.generate(new Date(START_MS))
  expect(workload.generate(new Date(START_MS)).traces).toEqual([])
  expect(workload.generate(new Date(START_MS - 60_000)).traces).toEqual([])
  const afterSleep = workload.generate(new Date(START_MS + 8 * 3_600_000))
  expect(new Set(afterSleep.traces.map((span) => (span as { traceId: string }).traceId)).size).toBeLessThan(
    400,
  )
})

test('random numbers are spread evenly and choices follow their weights', () => {
  const random = new Random(5)
  const buckets = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
  for (let n = 0; n < 10_000; n++) buckets[Math.floor(random.next() * 10)]! += 1
  for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150)
  let heavy = 0
  for (let n = 0; n < 10_000; n++) if (random.weighted([{ weight: 3 }, { weight: 1 }]).weight === 3) heavy++
  expect(Math.abs(heavy - 7500)).toBeLessThan(200)
})

/** A producer that notes what it is given, and has room for so many records. */
function notingProducer(room: number): { producer: Producer; taken: Map<TelemetrySignal, number> } {
  const taken = new Map<TelemetrySignal, number>()
  let left = room
  const add: Producer['add'] = (signal) => {
    if (left-- <= 0) return new Promise(() => undefined)
    taken.set(signal, (taken.get(signal) ?? 0) + 1)
    return Promise.resolve(undefined)
  }
  return { producer: { add } as Producer, taken }
}

test('the live demo feeds all three streams until it is aborted', async () => {
  const { producer, taken } = notingProducer(1e9)
  const ending = new AbortController()
  const running = runDemo(producer, { signal: ending.signal, tracesPerSecond: 50, seed: 1 })
  setTimeout(() => ending.abort(), 700)
  await running
  for (const signal of TELEMETRY_SIGNALS) expect(taken.get(signal)).toBeGreaterThan(0)
  const atEnd = taken.get('traces')
  await new Promise((resolve) => setTimeout(resolve, 400))
  expect(taken.get('traces')).toBe(atEnd)
})

test('the live demo ends when it is aborted even while the producer has no room', async () => {
  const { producer, taken } = notingProducer(10)
  const ending = new AbortController()
  const running = runDemo(producer, { signal: ending.signal, tracesPerSecond: 50, seed: 1 })
  setTimeout(() => ending.abort(), 100)
  await running
  expect(taken.get('traces')).toBe(10)
})

test('what the producer throws ends the live demo', async () => {
  const producer = { add: () => Promise.reject(new Error('closed')) } as unknown as Producer
  const demo = runDemo(producer, { signal: new AbortController().signal, tracesPerSecond: 50, seed: 1 })
  await expect(demo).rejects.toThrow('closed')
})
