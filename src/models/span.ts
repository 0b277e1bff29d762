import type { Attributes } from './attributes.ts'
import type { InstrumentationScope, Resource } from './resource.ts'

/** OTLP's integers: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
export type SpanKind = 0 | 1 | 2 | 3 | 4 | 5

/** OTLP's integers: 0 unset, 1 ok, 2 error. */
export type StatusCode = 0 | 1 | 2

export interface SpanEvent {
  readonly timeUnixNano: bigint
  readonly name: string
  readonly attributes: Attributes
  readonly droppedAttributesCount: number | undefined
}

export interface SpanLink {
  readonly traceId: string
  readonly spanId: string
  readonly traceState: string | undefined
  readonly flags: number | undefined
  readonly attributes: Attributes
  readonly droppedAttributesCount: number | undefined
}

/** One span in normal form. Ids are lowercase hex (32 and 16 digits); times are unix nanoseconds. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly traceState: string | undefined
  readonly flags: number | undefined
  readonly name: string
  readonly kind: SpanKind
  readonly startTimeUnixNano: bigint
  readonly endTimeUnixNano: bigint | undefined
  readonly status: { readonly code: StatusCode; readonly message: string | undefined }
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  readonly links: readonly SpanLink[]
  readonly droppedAttributesCount: number | undefined
  readonly droppedEventsCount: number | undefined
  readonly droppedLinksCount: number | undefined
  readonly service: string
  readonly resource: Resource
  readonly scope: InstrumentationScope
}
