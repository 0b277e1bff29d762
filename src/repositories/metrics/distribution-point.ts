import type { Buckets, HistogramPoint } from '../../models/histograms/histogram-point.ts'

/** SQL of {@link DistributionRow}. */
export const DISTRIBUTION_COLUMNS = `
  p.series_id::text, p.time_unix_nano::text, p.start_time_unix_nano::text, p.count::text, p.sum, p.min, p.max,
  p.explicit_bounds::text, p.bucket_counts::text, p.scale, p.zero_count::text, p.zero_threshold,
  p.positive_offset, p.positive_bucket_counts::text, p.negative_offset, p.negative_bucket_counts::text,
  p.quantiles::text, p.quantile_values::text`

/** A point of a histogram or summary, as PostgreSQL gives it; arrays as text. */
export type DistributionRow = readonly [
  seriesId: string,
  timeUnixNano: string,
  startTimeUnixNano: string | null,
  count: string | null,
  sum: number | null,
  min: number | null,
  max: number | null,
  explicitBounds: string | null,
  bucketCounts: string | null,
  scale: number | null,
  zeroCount: string | null,
  zeroThreshold: number | null,
  positiveOffset: number | null,
  positiveBucketCounts: string | null,
  negativeOffset: number | null,
  negativeBucketCounts: string | null,
  quantiles: string | null,
  quantileValues: string | null,
]

/** The measurements of a row. Undefined of a point that says that nothing was recorded. */
export function histogramOf(row: DistributionRow): HistogramPoint | undefined {
  const [, , , count, sum, min, max, bounds, counts, scale, zeroCount, zeroThreshold] = row
  if (count === null) return undefined
  const [, , , , , , , , , , , , positiveOffset, positive, negativeOffset, negative] = row
  return {
    count: Number(count),
    ...(sum !== null && { sum }),
    ...(min !== null && { min }),
    ...(max !== null && { max }),
    ...(bounds !== null &&
      counts !== null && { explicit: { bounds: numbersOf(bounds), counts: numbersOf(counts) } }),
    ...(scale !== null && {
      exponential: {
        scale,
        zeroCount: Number(zeroCount ?? 0),
        zeroThreshold: zeroThreshold ?? 0,
        positive: bucketsOf(positiveOffset, positive),
        negative: bucketsOf(negativeOffset, negative),
      },
    }),
  }
}

/** The values of a summary by their quantiles; undefined of other points. */
export function quantilesOf(row: DistributionRow): ReadonlyMap<number, number> | undefined {
  const [quantiles, values] = row.slice(16) as [string | null, string | null]
  if (quantiles === null || values === null) return undefined
  const found = numbersOf(values)
  return new Map(numbersOf(quantiles).map((quantile, index) => [quantile, found[index] ?? Number.NaN]))
}

function bucketsOf(offset: number | null, counts: string | null): Buckets {
  return { offset: offset ?? 0, counts: counts === null ? [] : numbersOf(counts) }
}

/** The numbers of `{1,2.5,Infinity}`, PostgreSQL's text of an array. */
function numbersOf(array: string): readonly number[] {
  return array === '{}' ? [] : array.slice(1, -1).split(',').map(Number)
}
