import type { Conditions } from '../read-filter.ts'
import type { Aggregate } from './aggregates.ts'

/** A time series of a metric: which of its points, and what is told of them. */
export interface MetricQuery {
  readonly name: string
  /** Where there are metrics of several types, or units, by this name. */
  readonly type?: string
  readonly unit?: string
  /** `from`, `to`, `service`, `environment` and attributes. */
  readonly conditions: Conditions
  /** None: what is usual for the type. */
  readonly aggregates: readonly Aggregate[]
  /** Labels that tell time series apart: `service`, `environment`, or the name of an attribute of the point, else of its resource. */
  readonly by: readonly string[]
  /** Nanoseconds; undefined for all of the time range at once. */
  readonly step: bigint | undefined
  /** Rows at most; null is all. */
  readonly limit: number | null
}

/** Where the columns of CSV of a time series are in its JSON; those of aggregates are known where these are asked for. */
export function seriesCsv({
  by,
  step,
  aggregates,
}: Pick<MetricQuery, 'by' | 'step' | 'aggregates'>): readonly (string | readonly string[])[] {
  const labels = by.map((label) => ['labels', label])
  return [...(step === undefined ? [] : ['timeUnixNano']), ...labels, ...aggregates.map((word) => [word])]
}

/**
 * How far before a time range the point is looked for that an increase at its beginning counts from, in nanoseconds: 15 minutes, 15 times the interval at
 * which OpenTelemetry SDKs export.
 */
export const LOOKBACK = 900_000_000_000n

/** The time that a rate is of, in unix nanoseconds. */
export interface TimeSpan {
  readonly start: bigint | undefined
  readonly end: bigint
}
