import type { Trace, TraceSpan } from '../records.ts'
import { selfTimes } from './self-times.ts'
import { serviceHues } from './service-hues.ts'

/** A span with its place in time, in nanoseconds from the start of the trace. */
export interface TimedTraceSpan {
  readonly span: TraceSpan
  readonly startNs: number
  /** 0 of a span without an end. */
  readonly durationNs: number
  /** Of it, what none of its children takes. */
  readonly selfNs: number
  readonly isError: boolean
  readonly service: string
  /** The class that gives it the colour of its service. */
  readonly hue: string
}

/** A trace as it is drawn. */
export interface TimedTrace {
  readonly trace: Trace
  readonly spans: readonly TimedTraceSpan[]
  /** From the start of its first span to the end of its last one. */
  readonly durationNs: number
}

/** Places the spans of a trace in time. */
export function timedTrace(trace: Trace): TimedTrace {
  const starts = trace.spans.map(({ startTimeUnixNano }) => BigInt(startTimeUnixNano))
  const first = starts.reduce((least, each) => (each < least ? each : least), BigInt(trace.startTimeUnixNano))
  const placed = trace.spans.map((span, index) => {
    const start = starts[index] ?? first
    const end = span.endTimeUnixNano === undefined ? start : BigInt(span.endTimeUnixNano)
    return { span, startNs: Number(start - first), endNs: Number((end < start ? start : end) - first) }
  })
  const times = selfTimes(placed.map(({ span, ...times }) => ({ ...times, ...idsOf(span) })))
  const hueOf = serviceHues(trace.spans.map(({ service = '' }) => service))
  const spans = placed.map(({ span, startNs, endNs }, index) => ({
    span,
    startNs,
    durationNs: endNs - startNs,
    selfNs: times[index] ?? 0,
    isError: span.status?.code === 'error',
    service: span.service ?? '',
    hue: hueOf(span.service ?? ''),
  }))
  return { trace, spans, durationNs: placed.reduce((most, { endNs }) => Math.max(most, endNs), 1) }
}

function idsOf({ spanId, parentSpanId }: TraceSpan) {
  return { spanId, ...(parentSpanId !== undefined && { parentSpanId }) }
}
