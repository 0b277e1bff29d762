import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'
import 'protobufjs/ext/descriptor.js'
import { createWorkload } from '../dist/commands/bench/workload.js'

const proto = readFileSync(new URL('../test/helpers/otlp.proto', import.meta.url), 'utf8')

/** OTLP as protobufjs knows it. */
export const { root } = protobuf.parse(proto, { keepCase: true })
export const Traces = root.lookupType('Traces')

/** An export request of so many spans of the bench, as protobufjs takes it: ids in base64. */
export function requestOf(count) {
  const workload = createWorkload('traces', { seed: 1, rows: count, nowMs: Date.now() })
  const resource = {
    attributes: keyValues({ 'service.name': 'gateway', 'host.name': 'node-2', 'service.version': '1.4.2' }),
  }
  const spans = Array.from({ length: count }, (_, index) => spanOf(workload.record(index)))
  return {
    resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'openllm', version: '0.3.1' }, spans }] }],
  }
}

function spanOf({ traceId, spanId, parentSpanId, name, startTimeUnixNano, endTimeUnixNano, attributes }) {
  const base64 = (hex) => Buffer.from(hex, 'hex').toString('base64')
  return {
    traceId: base64(traceId),
    spanId: base64(spanId),
    ...(parentSpanId && { parentSpanId: base64(parentSpanId) }),
    ...{
      name,
      startTimeUnixNano,
      endTimeUnixNano,
      kind: 3,
      status: { code: 1 },
      attributes: keyValues(attributes),
    },
  }
}

function keyValues(attributes = {}) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }))
}

function anyValue(value) {
  if (typeof value === 'string') return { stringValue: value }
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
