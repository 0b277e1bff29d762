import { type HrTime, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { SeverityNumber } from '@opentelemetry/api-logs'
import { OTLPLogExporter as LogsJson } from '@opentelemetry/exporter-logs-otlp-http'
import { OTLPLogExporter as LogsProtobuf } from '@opentelemetry/exporter-logs-otlp-proto'
import { OTLPMetricExporter as MetricsJson } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPMetricExporter as MetricsProtobuf } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter as TracesJson } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as TracesProtobuf } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchLogRecordProcessor,
  InMemoryLogRecordExporter,
  LoggerProvider,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs'
import {
  AggregationType,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

/*
 * Unmodified clients: what the SDK has recorded is compared with what the service gives back. No default endpoint is used, for another test
 * may listen there; that it is ours is in the settings.
 */
let app: TestService

beforeAll(async () => {
  app = await startTestService()
})
afterAll(() => app?.close())

const EXPORTERS = {
  protobuf: { Traces: TracesProtobuf, Metrics: MetricsProtobuf, Logs: LogsProtobuf },
  json: { Traces: TracesJson, Metrics: MetricsJson, Logs: LogsJson },
} as const

const urlOf = (signal: string) => new URL(`/v1/${signal}`, app.service.url).href
const nanos = ([seconds, rest]: HrTime) => String(BigInt(seconds) * 1_000_000_000n + BigInt(rest))
const resourceOf = (service: string) =>
  resourceFromAttributes({ 'service.name': service, 'host.name': 'here', 'process.pid': 7 })

/** All that the API has of a service, once it is so much. */
async function stored(path: string, service: string, count: number): Promise<Record<string, unknown>[]> {
  let records: Record<string, unknown>[] = []
  await eventually(async () => {
    const text = await (await app.get(`/api/v1/${path}?format=ndjson&service=${service}`)).text()
    records = text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
    expect(records).toHaveLength(count)
  })
  return records
}

const numbers = (list: unknown) => (list as unknown[]).map(Number)

const ATTRIBUTES = {
  text: 'é 😀 "quoted"',
  empty: '',
  integer: 42,
  negative: -7,
  double: 0.1,
  yes: true,
  texts: ['a', 'b'],
  numbers: [1, 2.5],
  flags: [true, false],
}

/** Spans as an application makes them. */
function makeSpans(provider: TracerProvider): void {
  const tracer = provider.getTracer('agent', '1.2.3', { schemaUrl: 'https://example.org/schema' })
  const root = tracer.startSpan('run', { kind: SpanKind.SERVER, attributes: ATTRIBUTES })
  root.addEvent('began', { step: 1, 'with.text': 'x' }, new Date())
  root.addEvent('bare')
  root.setStatus({ code: SpanStatusCode.ERROR, message: 'it failed' })
  const links = [{ context: root.spanContext(), attributes: { why: 'caused by' } }]
  const inRoot = trace.setSpan(ROOT_CONTEXT, root)
  const call = tracer.startSpan('call', { kind: SpanKind.CLIENT, links }, inRoot)
  call.recordException(new TypeError('no such model'))
  call.setStatus({ code: SpanStatusCode.OK })
  const plain = tracer.startSpan('')
  for (const span of [plain, call, root]) span.end()
}

/** What the API should say of a span that the SDK has recorded. */
function expectedSpan(span: ReadableSpan): object {
  const { traceId, spanId } = span.spanContext()
  const { name, kind, status, parentSpanContext: parent } = span
  const statusCode = ['unset', 'ok', 'error'][status.code]
  return {
    ...{ traceId, spanId, name, attributes: span.attributes },
    ...(parent && { parentSpanId: parent.spanId }),
    kind: ['internal', 'server', 'client', 'producer', 'consumer'][kind],
    startTimeUnixNano: nanos(span.startTime),
    endTimeUnixNano: nanos(span.endTime),
    status: { code: statusCode, ...(status.message && { message: status.message }) },
    resource: { attributes: span.resource.attributes },
    scope: { name: 'agent', version: '1.2.3', schemaUrl: 'https://example.org/schema' },
    events: span.events.map(({ name: event, time, attributes = {} }) => ({
      name: event,
      timeUnixNano: nanos(time),
      attributes,
    })),
    links: span.links.map(({ context, attributes = {} }) => ({
      traceId: context.traceId,
      spanId: context.spanId,
      attributes,
    })),
  }
}

describe.each(['protobuf', 'json'] as const)('an application that exports %s', (encoding) => {
  const { Traces, Metrics, Logs } = EXPORTERS[encoding]

  test('finds each span as it was recorded', async () => {
    const service = `sdk-spans-${encoding}`
    const recorded = new InMemorySpanExporter()
    const provider = new TracerProvider({
      resource: resourceOf(service),
      spanProcessors: [
        new SimpleSpanProcessor({ exporter: recorded }),
        new BatchSpanProcessor({ exporter: new Traces({ url: urlOf('traces') }) }),
      ],
    })
    makeSpans(provider)
    await provider.forceFlush()
    const finished = recorded.getFinishedSpans()
    expect(finished).toHaveLength(3)
    const byId = new Map((await stored('spans', service, 3)).map((span) => [span.spanId, span]))
    for (const span of finished) {
      const { events = [], links = [], ...rest } = byId.get(span.spanContext().spanId) ?? {}
      expect({ events, links, ...rest }).toMatchObject(expectedSpan(span))
    }
    await provider.shutdown()
  })

  test('finds each log record as it was emitted', async () => {
    const service = `sdk-logs-${encoding}`
    const recorded = new InMemoryLogRecordExporter()
    const provider = new LoggerProvider({
      resource: resourceOf(service),
      processors: [
        new SimpleLogRecordProcessor({ exporter: recorded }),
        new BatchLogRecordProcessor({ exporter: new Logs({ url: urlOf('logs') }) }),
      ],
    })
    const logger = provider.getLogger('agent', '1.2.3')
    const spanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
    logger.emit({
      severityNumber: SeverityNumber.WARN,
      severityText: 'WARN',
      body: 'said',
      attributes: ATTRIBUTES,
    })
    logger.emit({
      eventName: 'gen_ai.choice',
      body: { message: { role: 'assistant', content: 'hello' }, index: 0 },
      context: trace.setSpanContext(ROOT_CONTEXT, spanContext),
    })
    await provider.forceFlush()
    const emitted = recorded.getFinishedLogRecords()
    expect(emitted).toHaveLength(2)
    const records = await stored('logs', service, 2)
    for (const record of emitted) {
      const { hrTime, body, eventName, severityNumber, severityText, attributes } = record
      const found = records.find((each) => each.eventName === eventName)
      expect(found).toMatchObject({
        ...{
          timeUnixNano: nanos(hrTime),
          body,
          attributes,
          resource: { attributes: { 'service.name': service } },
        },
        ...(eventName && { eventName, traceId: spanContext.traceId, spanId: spanContext.spanId, flags: 1 }),
        ...(severityText && { severityText, severityNumber }),
        observedTimeUnixNano: nanos(record.hrTimeObserved),
      })
    }
    await provider.shutdown()
  })

  test('finds each data point as it was measured', async () => {
    const service = `sdk-metrics-${encoding}`
    const reader = new PeriodicExportingMetricReader({ exporter: new Metrics({ url: urlOf('metrics') }) })
    const provider = new MeterProvider({
      resource: resourceOf(service),
      readers: [reader],
      views: [
        {
          instrumentName: 'exponential',
          instrumentType: InstrumentType.HISTOGRAM,
          aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
        },
      ],
    })
    const meter = provider.getMeter('agent', '1.2.3')
    const calls = meter.createCounter('calls', { unit: '{call}', description: 'Calls made' })
    calls.add(3, { model: 'a' })
    calls.add(2, { model: 'a' })
    calls.add(1.5, { model: 'b' })
    meter.createUpDownCounter('open').add(-4)
    meter.createObservableGauge('load').addCallback((result) => result.observe(0.25, ATTRIBUTES))
    const seconds = meter.createHistogram('seconds', { advice: { explicitBucketBoundaries: [0.1, 1] } })
    for (const value of [0.05, 0.5, 5]) seconds.record(value)
    const exponential = meter.createHistogram('exponential')
    for (const value of [1, 2, 4, 0]) exponential.record(value)
    await provider.forceFlush()

    const points = async (name: string, count: number) =>
      (await stored(`metrics/${name}/points`, service, count)).map(({ timeUnixNano, scope, ...point }) => {
        expect(timeUnixNano).toMatch(/^\d{19}$/)
        expect(scope).toMatchObject({ name: 'agent', version: '1.2.3' })
        return point
      })
    const counted = (value: number, model: string) => ({
      type: 'counter',
      temporality: 'cumulative',
      value,
      attributes: { model },
    })
    const byModel = (await points('calls', 2)).sort((a, b) => Number(b.value) - Number(a.value))
    expect(byModel).toMatchObject([counted(5, 'a'), counted(1.5, 'b')])
    expect(byModel[0]).toMatchObject({ unit: '{call}', description: 'Calls made' })
    expect(await points('open', 1)).toMatchObject([{ type: 'updowncounter', value: -4 }])
    expect(await points('load', 1)).toMatchObject([{ type: 'gauge', value: 0.25, attributes: ATTRIBUTES }])
    expect(await points('seconds', 1)).toMatchObject([
      { type: 'histogram', sum: 5.55, min: 0.05, max: 5, explicitBounds: [0.1, 1] },
    ])
    const [histogram = {}] = await points('seconds', 1)
    expect([Number(histogram.count), numbers(histogram.bucketCounts)]).toEqual([3, [1, 1, 1]])
    const [spread = {}] = await points('exponential', 1)
    expect(spread).toMatchObject({ type: 'exponentialHistogram', sum: 7, min: 0, max: 4 })
    expect([Number(spread.count), Number(spread.zeroCount)]).toEqual([4, 1])
    const { bucketCounts } = spread.positive as { bucketCounts: unknown }
    expect(numbers(bucketCounts).reduce((sum, count) => sum + count, 0)).toBe(3)
    await provider.shutdown()
  })
})
