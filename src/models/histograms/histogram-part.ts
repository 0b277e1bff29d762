import type { HistogramPoint } from './histogram-point.ts'
import type { HistogramTotals } from './histogram-sum.ts'

/** The quantiles of a summary, and when they were told. */
export interface ToldQuantiles {
  readonly timeUnixNano: bigint
  readonly values: ReadonlyMap<number, number>
}

/** A stretch of one series of histograms or summaries: a point, or what is to be known of several so that others can follow. */
export interface HistogramPart {
  readonly points: number
  /** Unix nanoseconds. */
  readonly firstTime: bigint
  readonly firstStart: bigint | undefined
  readonly lastTime: bigint
  /** The first point; none of several of delta temporality. */
  readonly first: HistogramPoint | undefined
  /** The last point; of cumulative temporality alone. */
  readonly last: HistogramPoint | undefined
  /** What was measured after the first; where there is none, in all. */
  readonly since: HistogramTotals | undefined
  /** The newest. */
  readonly quantiles: ToldQuantiles | undefined
}

/** The newer of two; of one time, the one that comes later. */
export function newestQuantiles(
  before: ToldQuantiles | undefined,
  after: ToldQuantiles | undefined,
): ToldQuantiles | undefined {
  if (before === undefined || after === undefined) return after ?? before
  return after.timeUnixNano >= before.timeUnixNano ? after : before
}
