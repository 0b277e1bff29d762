import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'

/*
 * OTLP as another protobuf library encodes it: what the service reads is compared with what this wrote. The numbers are those of
 * opentelemetry-proto; that they are right is for the test with OpenTelemetry's own exporters to show.
 */
const OTLP = readFileSync(new URL('otlp.proto', import.meta.url), 'utf8')
const root = protobuf.parse(OTLP, { keepCase: true }).root
const TYPES: Readonly<Record<TelemetrySignal, string>> = {
  traces: 'Traces',
  metrics: 'Metrics',
  logs: 'Logs',
}

/** The protobuf bytes of an export request that is given as OTLP's JSON writes it. */
export function encodeOtlp(signal: TelemetrySignal, request: object): Buffer {
  const type = root.lookupType(TYPES[signal])
  return Buffer.from(type.encode(type.fromObject(idsAsBytes(request) as object)).finish())
}

/** OTLP's JSON has ids in hex, where protobuf's own JSON would have base64. */
function idsAsBytes(value: unknown, key?: string): unknown {
  if (typeof value === 'string' && /^(?:trace|span|parentSpan)Id$/.test(key ?? ''))
    return Buffer.from(value, 'hex').toString('base64')
  if (Array.isArray(value)) return value.map((item) => idsAsBytes(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, idsAsBytes(member, name)]))
}
