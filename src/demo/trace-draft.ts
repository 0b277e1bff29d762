import type { Random } from './random.ts'
import { type DemoEnvironment, type DemoService, resourceOf } from './services.ts'

export type DemoAttributes = Record<string, string | number | boolean | readonly string[]>

/** Severities as OpenTelemetry numbers them. */
const SEVERITY_NUMBERS = { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17 } as const
export type DemoSeverity = keyof typeof SEVERITY_NUMBERS

/** A span in the making. Times are milliseconds since the trace began. */
export interface SpanDraft {
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly service: DemoService
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client'
  readonly startMs: number
  endMs: number
  error: string | undefined
  readonly attributes: DemoAttributes
  readonly events: { readonly atMs: number; readonly name: string; readonly attributes: DemoAttributes }[]
}

export interface OpenSpan {
  readonly service: DemoService
  readonly name: string
  readonly kind: SpanDraft['kind']
  readonly attributes: DemoAttributes
}

export interface LogDraft {
  readonly severity: DemoSeverity
  readonly body: string
  readonly attributes?: DemoAttributes
  readonly eventName?: string
}

const NANOS_PER_MS = 1e6

/**
 * One trace as it happens: a clock that only goes forward, spans opened and closed as on a stack, logs written by the span
 * that is open. Where in time the trace lies is decided at the end, when its length is known.
 */
export class TraceDraft {
  readonly traceId: string
  readonly #random: Random
  readonly #environment: DemoEnvironment
  readonly #spans: SpanDraft[] = []
  readonly #stack: SpanDraft[] = []
  readonly #logs: { readonly atMs: number; readonly span: SpanDraft; readonly draft: LogDraft }[] = []
  #clockMs = 0

  constructor(random: Random, environment: DemoEnvironment) {
    this.#random = random
    this.#environment = environment
    this.traceId = random.hex(32)
  }

  get durationMs(): number {
    return this.#clockMs
  }

  /** Lets time pass in the span that is open. */
  pass(ms: number): void {
    this.#clockMs += ms
  }

  open(span: OpenSpan): SpanDraft {
    const draft: SpanDraft = {
      ...span,
      spanId: this.#random.hex(16),
      parentSpanId: this.#stack.at(-1)?.spanId,
      startMs: this.#clockMs,
      endMs: this.#clockMs,
      error: undefined,
      events: [],
    }
    this.#spans.push(draft)
    this.#stack.push(draft)
    return draft
  }

  close(span: SpanDraft): void {
    span.endMs = this.#clockMs
    this.#stack.splice(this.#stack.indexOf(span), 1)
  }

  /** Marks the span as failed, with the exception event that SDKs record, and logs it. */
  fail(span: SpanDraft, type: string, message: string): void {
    span.error = message
    span.attributes['error.type'] = type
    const attributes = { 'exception.type': type, 'exception.message': message }
    span.events.push({ atMs: this.#clockMs, name: 'exception', attributes })
    this.log(span, { severity: 'ERROR', body: `${span.name} failed: ${message}`, attributes })
  }

  log(span: SpanDraft, draft: LogDraft): void {
    this.#logs.push({ atMs: this.#clockMs, span, draft })
  }

  /** The trace as records, ending at `endUnixNano`. */
  finish(endUnixNano: bigint): { readonly traces: object[]; readonly logs: object[] } {
    const startUnixNano = endUnixNano - nanos(this.#clockMs)
    const at = (ms: number): string => String(startUnixNano + nanos(ms))
    return {
      traces: this.#spans.map((span) => this.#spanRecord(span, at)),
      logs: this.#logs.map(({ atMs, span, draft }) => ({
        timeUnixNano: at(atMs),
        observedTimeUnixNano: at(atMs + 1),
        severityNumber: SEVERITY_NUMBERS[draft.severity],
        severityText: draft.severity,
        body: draft.body,
        ...(draft.eventName === undefined ? {} : { eventName: draft.eventName }),
        traceId: this.traceId,
        spanId: span.spanId,
        attributes: draft.attributes ?? {},
        service: span.service,
        resource: resourceOf(span.service, this.#environment),
        scope: { name: `demo.${span.service}`, version: '1.0.0' },
      })),
    }
  }

  #spanRecord(span: SpanDraft, at: (ms: number) => string): object {
    return {
      traceId: this.traceId,
      spanId: span.spanId,
      ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
      name: span.name,
      kind: span.kind,
      startTimeUnixNano: at(span.startMs),
      endTimeUnixNano: at(span.endMs),
      status: span.error === undefined ? { code: 'ok' } : { code: 'error', message: span.error },
      attributes: span.attributes,
      events: span.events.map(({ atMs, name, attributes }) => ({ timeUnixNano: at(atMs), name, attributes })),
      service: span.service,
      resource: resourceOf(span.service, this.#environment),
      scope: { name: `demo.${span.service}`, version: '1.0.0' },
    }
  }
}

function nanos(ms: number): bigint {
  return BigInt(Math.round(ms * NANOS_PER_MS))
}
