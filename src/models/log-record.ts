import type { Attributes, AttributeValue } from './attributes.ts'
import type { InstrumentationScope, Resource } from './resource.ts'

/** One log record in normal form. `severityNumber` is OpenTelemetry's 1–24, 0 when not given. */
export interface LogRecord {
  readonly timeUnixNano: bigint
  readonly observedTimeUnixNano: bigint | undefined
  readonly severityNumber: number
  readonly severityText: string | undefined
  readonly body: AttributeValue | undefined
  readonly eventName: string | undefined
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  readonly flags: number | undefined
  readonly attributes: Attributes
  readonly droppedAttributesCount: number | undefined
  readonly service: string
  readonly resource: Resource
  readonly scope: InstrumentationScope
}
