import type { JsonValue } from './parse-json.ts'

/** Attributes by name. */
export type Attributes = { readonly [name: string]: JsonValue }

/** Where a record comes from. */
export interface Origin {
  readonly service?: string
  readonly attributes?: Attributes
  readonly resource?: { readonly attributes?: Attributes }
  readonly scope?: { readonly name?: string; readonly version?: string }
}

/** A log record as the API gives it; what is not shown is left out here. */
export interface LogRecord extends Origin {
  readonly timeUnixNano: string
  readonly severityNumber?: number
  readonly severityText?: string
  readonly eventName?: string
  readonly body?: JsonValue
  readonly traceId?: string
  readonly spanId?: string
}

/** A span as the API gives it. */
export interface Span extends Origin {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano?: string
  readonly status?: { readonly code?: string; readonly message?: string }
  readonly events?: readonly SpanEvent[]
  readonly links?: readonly { readonly traceId?: string; readonly spanId?: string }[]
}

export interface SpanEvent {
  readonly name: string
  readonly timeUnixNano?: string
  readonly attributes?: Attributes
}

/** A data point of a metric as the API gives it. */
export interface DataPoint extends Origin {
  readonly name: string
  readonly type?: string
  readonly unit?: string
  readonly timeUnixNano: string
  readonly value?: JsonValue
  readonly count?: number
  readonly sum?: number
  readonly min?: number
  readonly max?: number
}

/** Any of the records that a tail tells. */
export type TailRecord = LogRecord | Span | DataPoint

/** A span of one trace, with what the service has found out about it. */
export interface TraceSpan extends Span {
  readonly depth: number
  readonly genAi?: GenAi
  readonly conversation?: { readonly input: readonly Message[]; readonly output: readonly Message[] }
  readonly evaluations?: readonly Evaluation[]
}

/** A call of a model. */
export interface GenAi {
  readonly operation?: string
  readonly provider?: string
  readonly model?: string
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cachedTokens?: number
  readonly cacheCreationTokens?: number
  readonly reasoningTokens?: number
  readonly timeToFirstTokenNs?: number
  readonly cost?: number
  readonly costIsComputed?: boolean
  readonly sessionId?: string
  readonly userId?: string
  readonly finishReason?: string
  readonly promptName?: string
  readonly promptVersion?: string
}

export interface Message {
  readonly role: string
  readonly name?: string
  readonly finishReason?: string
  readonly parts: readonly MessagePart[]
}

/** Of which members there are says the type. */
export interface MessagePart {
  readonly type: string
  readonly content?: string
  readonly name?: string
  readonly arguments?: JsonValue
  readonly response?: JsonValue
  readonly kind?: string
  readonly value?: JsonValue
}

export interface Evaluation {
  readonly name?: string
  readonly score?: number
  readonly label?: string
  readonly explanation?: string
}

/** A trace with its spans as its tree is read. */
export interface Trace {
  readonly traceId: string
  readonly name?: string
  readonly service?: string
  readonly startTimeUnixNano: string
  readonly durationNs: number
  readonly services?: readonly string[]
  readonly spanCount: number
  readonly errorCount: number
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cost?: number
  readonly spansAreCut?: boolean
  readonly messagesAreCut?: boolean
  readonly spans: readonly TraceSpan[]
}
