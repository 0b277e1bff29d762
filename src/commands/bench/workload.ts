import { Random } from '../../demo/random.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'

/** A loose record, as an application would send it. */
export type BenchRecord = Readonly<Record<string, unknown>>

/** Records that are functions of their index: the same seed gives the same ones, in any order. */
export interface Workload {
  readonly signal: TelemetrySignal
  record(index: number): BenchRecord
}

export interface WorkloadOptions {
  readonly seed: number
  /** How many records there are in all: their times are spread evenly over one hour of a day. */
  readonly rows: number
  /** Unix milliseconds; the hour begins at noon (UTC) of this day, so that no run crosses midnight. */
  readonly nowMs: number
  /** Days the records are spread over, each next record on another one: every batch meets all of them. Default 1. */
  readonly days?: number
  /** Attributes of a span instead of the usual nine. */
  readonly attributes?: number
  /** Exact length of a log record's JSON, its body being as long as that takes. */
  readonly recordBytes?: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MODELS = ['gpt-4o', 'claude-sonnet-4', 'gemini-2.5-pro'] as const
const SERVICES = ['gateway', 'agent', 'tools'] as const
const LEVELS = ['info', 'info', 'info', 'debug', 'warn', 'error'] as const
/** 3 services x 3 models x 4 hosts x 10 metrics: 360 series. */
const METRICS = 10

/** Telemetry of LLM applications: spans of some 740 bytes of JSON, log records of some 400, data points of some 350. */
export function createWorkload(signal: TelemetrySignal, options: WorkloadOptions): Workload {
  const make = { traces: makeSpan, logs: makeLogRecord, metrics: makeDataPoint }[signal]
  return {
    signal,
    record: (index) => {
      // Odd factors permute the 32-bit numbers, so that no two records begin at the same state.
      const random = new Random(Math.imul(index + 1, 0x85ebca6b) ^ options.seed)
      return make(index, random, options)
    },
  }
}

/** Unix milliseconds of the record's time. */
function timeOf(index: number, { rows, nowMs, days = 1 }: WorkloadOptions): number {
  const noon = Math.floor(nowMs / DAY_MS) * DAY_MS + DAY_MS / 2
  return noon - (index % days) * DAY_MS + Math.floor((index / rows) * HOUR_MS)
}

function makeSpan(index: number, random: Random, options: WorkloadOptions): BenchRecord {
  const startMs = timeOf(index, options)
  const model = random.pick(MODELS)
  return {
    traceId: random.hex(32),
    spanId: random.hex(16),
    parentSpanId: random.hex(16),
    name: `chat ${model}`,
    kind: 'client',
    startTimeUnixNano: `${startMs}${nanosOf(random)}`,
    endTimeUnixNano: `${startMs + 100 + random.integer(0, 5000)}${nanosOf(random)}`,
    status: random.chance(0.02) ? 'error' : 'ok',
    ...originOf(index, random),
    attributes:
      options.attributes === undefined
        ? genAiAttributes(random, model)
        : plainAttributes(random, options.attributes),
  }
}

function genAiAttributes(random: Random, model: string): BenchRecord {
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': model,
    'gen_ai.usage.input_tokens': random.integer(1, 4000),
    'gen_ai.usage.output_tokens': random.integer(1, 800),
    'gen_ai.conversation.id': `conversation-${random.integer(0, 4999)}`,
    'user.id': `user-${random.integer(0, 799)}`,
    'http.response.status_code': 200,
    'server.address': 'api.openai.com',
  }
}

function plainAttributes(random: Random, count: number): BenchRecord {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `app.attribute_${index}`,
      `value-${random.integer(0, 999)}`,
    ]),
  )
}

function makeLogRecord(index: number, random: Random, options: WorkloadOptions): BenchRecord {
  const timeMs = timeOf(index, options)
  if (options.recordBytes !== undefined) return makeSizedLogRecord(timeMs, random, options.recordBytes)
  return {
    timeUnixNano: `${timeMs}${nanosOf(random)}`,
    level: random.pick(LEVELS),
    message: `completion of ${random.pick(MODELS)} took ${random.integer(100, 5000)} ms`,
    traceId: random.hex(32),
    spanId: random.hex(16),
    ...originOf(index, random),
    attributes: { 'user.id': `user-${random.integer(0, 799)}`, 'http.route': '/v1/chat' },
  }
}

function makeSizedLogRecord(time: number, random: Random, bytes: number): BenchRecord {
  const record = { time, level: 'info', service: random.pick(SERVICES), body: '' }
  const room = bytes - JSON.stringify(record).length
  return { ...record, body: words(random, room) }
}

/** Text that compresses as prose does, not as a repeated letter. */
function words(random: Random, length: number): string {
  const parts: string[] = []
  for (let size = 0; size < length; ) {
    const word = random.integer(0, 9999).toString(36)
    parts.push(word)
    size += word.length + 1
  }
  return parts.join(' ').slice(0, Math.max(0, length)).padEnd(length, '.')
}

function makeDataPoint(index: number, random: Random, options: WorkloadOptions): BenchRecord {
  const metric = random.integer(0, METRICS - 1)
  const isCounter = metric < METRICS / 2
  return {
    name: `gen_ai.client.metric_${metric}`,
    type: isCounter ? 'counter' : 'gauge',
    unit: isCounter ? '{token}' : 's',
    timeUnixNano: `${timeOf(index, options)}${nanosOf(random)}`,
    value: isCounter ? random.integer(0, 100_000) : random.between(0, 10),
    ...originOf(index, random),
    attributes: { 'gen_ai.request.model': random.pick(MODELS) },
  }
}

function originOf(index: number, random: Random): BenchRecord {
  return {
    service: SERVICES[index % SERVICES.length],
    resource: {
      attributes: {
        'service.version': '1.4.2',
        'deployment.environment.name': 'production',
        'host.name': `node-${random.integer(0, 3)}`,
      },
    },
    scope: { name: 'openllm', version: '0.3.1' },
  }
}

/** The six digits below a millisecond. */
function nanosOf(random: Random): string {
  return String(random.integer(0, 999_999)).padStart(6, '0')
}
