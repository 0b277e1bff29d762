import type { Attributes, AttributeValue } from '../../models/attributes.ts'

type Numeric = number | bigint | string

/** What a tail shows of a record: a log record, a span or a point of a metric, in the shape of the wire contract. */
export interface TailedRecord {
  readonly service?: string
  readonly attributes?: Attributes
  readonly traceId?: string
  readonly spanId?: string
  /** Of log records and points. */
  readonly timeUnixNano?: string
  /** Of spans and metrics. */
  readonly name?: string
  readonly severityNumber?: number
  readonly severityText?: string
  readonly eventName?: string
  readonly body?: AttributeValue
  readonly kind?: string
  readonly parentSpanId?: string
  readonly startTimeUnixNano?: string
  readonly endTimeUnixNano?: string
  readonly status?: { readonly code?: string; readonly message?: string }
  readonly type?: string
  readonly unit?: string
  readonly value?: Numeric
  readonly count?: Numeric
  readonly sum?: Numeric
  readonly min?: Numeric
  readonly max?: Numeric
  readonly quantiles?: readonly { readonly quantile: number; readonly value: Numeric }[]
  readonly explicitBounds?: readonly Numeric[]
  readonly bucketCounts?: readonly Numeric[]
  readonly scale?: number
  readonly zeroCount?: Numeric
  readonly zeroThreshold?: Numeric
  readonly positive?: TailedBuckets
  readonly negative?: TailedBuckets
}

export interface TailedBuckets {
  readonly offset?: number
  readonly bucketCounts?: readonly Numeric[]
}

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']

/** Of a log record, as its severity number says; four numbers a level. What has none is called as it calls itself. */
export function levelOf({ severityNumber, severityText = '' }: TailedRecord): string {
  return severityNumber === undefined ? severityText : (LEVELS[Math.floor((severityNumber - 1) / 4)] ?? '')
}

/** When it was: a span at its start. Unix nanoseconds. */
export function timeOf({ timeUnixNano, startTimeUnixNano }: TailedRecord): string | undefined {
  return timeUnixNano ?? startTimeUnixNano
}

/** How long a span took, in nanoseconds; undefined of all that has no end. */
export function durationOf({ startTimeUnixNano, endTimeUnixNano }: TailedRecord): bigint | undefined {
  if (startTimeUnixNano === undefined || endTimeUnixNano === undefined) return undefined
  return BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)
}
