import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { encodeOtlp } from '../helpers/otlp-protobuf.ts'
import type { Row } from './mint.ts'

export type OtlpEncoding = 'protobuf' | 'json'

/** An export request of records as the `json` form has them; their order is that of the request's records. */
export function otlpRequest(
  signal: TelemetrySignal,
  records: readonly Row[],
  encoding: OtlpEncoding,
): Buffer {
  const request = REQUESTS[signal](records)
  return encoding === 'protobuf' ? encodeOtlp(signal, request) : Buffer.from(JSON.stringify(request))
}

const REQUESTS: Readonly<Record<TelemetrySignal, (records: readonly Row[]) => object>> = {
  logs: (records) => ({
    resourceLogs: halves(records).map((half) => ({
      resource: resourceOf(half),
      scopeLogs: halves(half).map((some) => ({ logRecords: some.map(logRecord) })),
    })),
  }),
  traces: (records) => ({
    resourceSpans: halves(records).map((half) => ({
      resource: resourceOf(half),
      scopeSpans: halves(half).map((some) => ({ spans: some.map(span) })),
    })),
  }),
  metrics: (records) => ({
    resourceMetrics: halves(records).map((half) => ({
      resource: resourceOf(half),
      scopeMetrics: halves(half).map((some) => ({ metrics: runsOfName(some).map(metric) })),
    })),
  }),
}

/** Records stand in several resources and scopes, so that their indexes count through all of them. */
function halves(records: readonly Row[]): readonly (readonly Row[])[] {
  const middle = Math.ceil(records.length / 2)
  return [records.slice(0, middle), records.slice(middle)].filter(({ length }) => length > 0)
}

/** Neighbours of one name, which are the points of one metric. */
function runsOfName(records: readonly Row[]): Row[][] {
  const runs: Row[][] = []
  for (const record of records) {
    const run = runs.at(-1)
    if (run !== undefined && run[0]?.name === record.name) run.push(record)
    else runs.push([record])
  }
  return runs
}

function resourceOf([first]: readonly Row[]): object {
  return { attributes: keyValues({ 'service.name': first?.service }) }
}

function logRecord({ service: _, body, attributes, ...rest }: Row): object {
  return { ...rest, body: anyValue(body), attributes: keyValues(attributes) }
}

function span({ service: _, attributes, ...rest }: Row): object {
  return { ...rest, attributes: keyValues(attributes) }
}

function metric(points: readonly Row[]): object {
  return { name: points[0]?.name, gauge: { dataPoints: points.map(point) } }
}

function point({ timeUnixNano, value, attributes }: Row): object {
  return { timeUnixNano, asInt: String(value), attributes: keyValues(attributes) }
}

function keyValues(attributes: unknown): object[] {
  return Object.entries(attributes as Row).map(([key, value]) => ({ key, value: anyValue(value) }))
}

function anyValue(value: unknown): object {
  if (value === null) return {}
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  // 64-bit integers are text in OTLP's JSON.
  if (typeof value === 'number')
    return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } }
  return { kvlistValue: { values: keyValues(value) } }
}
