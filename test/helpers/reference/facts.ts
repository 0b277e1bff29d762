import type { SpanKind, StatusCode } from '../../../src/models/span.ts'

/** What a filter can ask of a record, in plain values: of each kind of record some are undefined. */
export interface Facts {
  /** Unix nanoseconds. */
  readonly at: bigint
  /** Among all records of its stream, as they were sent. */
  readonly place: number
  readonly service: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly environment?: string | undefined
  readonly name?: string | undefined
  readonly traceId?: string | undefined
  readonly spanId?: string | undefined
  readonly severityNumber?: number | undefined
  readonly status?: StatusCode | undefined
  readonly kind?: SpanKind | undefined
  readonly durationNs?: bigint | undefined
  readonly model?: string | undefined
  readonly provider?: string | undefined
  readonly operation?: string | undefined
  readonly prompt?: string | undefined
  readonly user?: string | undefined
  readonly session?: string | undefined
  readonly label?: string | undefined
  /** As text. */
  readonly body?: string | undefined
}

/** A record as it is sent, which is how it must come back. */
export interface Sent {
  readonly json: Readonly<Record<string, unknown>>
}

/** The oldest first; of one nanosecond as they were sent. */
export function byTime(a: Facts, b: Facts): number {
  return a.at === b.at ? a.place - b.place : a.at < b.at ? -1 : 1
}

/** Without the members that are undefined. */
export function given<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}
