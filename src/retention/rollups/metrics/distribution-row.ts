import type { HistogramPart } from '../../../models/histograms/histogram-part.ts'
import type { Buckets, HistogramPoint } from '../../../models/histograms/histogram-point.ts'
import { readDistributionJson } from './distribution-json.ts'

/** The columns of points that say what was measured. */
const MEASURES = [
  ['count', 'bigint'],
  ['sum', 'double precision'],
  ['min', 'double precision'],
  ['max', 'double precision'],
  ['explicit_bounds', 'double precision[]'],
  ['bucket_counts', 'bigint[]'],
  ['scale', 'integer'],
  ['zero_count', 'bigint'],
  ['zero_threshold', 'double precision'],
  ['positive_offset', 'integer'],
  ['positive_bucket_counts', 'bigint[]'],
  ['negative_offset', 'integer'],
  ['negative_bucket_counts', 'bigint[]'],
  ['quantiles', 'double precision[]'],
  ['quantile_values', 'double precision[]'],
] as const

/** SQL of points `p` of histograms and summaries, as {@link ROLLUP_PARTS} has rollups. */
export const POINT_PARTS = `
  p.series_id, 1::bigint as points, p.time_unix_nano as first_time, p.start_time_unix_nano as first_start, p.time_unix_nano as last_time,
  p.entry_ms, p.entry_seq, p.record_index, ${MEASURES.map(([name]) => `p.${name}`).join(', ')}, null::json as distribution`

/** SQL of rollups `p`. */
export const ROLLUP_PARTS = `
  p.series_id, p.count as points, p.first_time_unix_nano as first_time, p.first_start_time_unix_nano as first_start, p.last_time_unix_nano as last_time,
  0::bigint as entry_ms, 0::bigint as entry_seq, 0 as record_index,
  ${MEASURES.map(([name, type]) => `null::${type} as ${name}`).join(', ')}, p.distribution`

/** SQL of {@link DistributionRow}, of either. */
export const DISTRIBUTION_ROW = [
  ...['series_id', 'points', 'first_time', 'first_start', 'last_time'].map((name) => `${name}::text`),
  ...MEASURES.map(([name, type]) => (type === 'bigint' || type.endsWith('[]') ? `${name}::text` : name)),
  'distribution::text',
].join(', ')

/** The order in which parts of a series follow each other. */
export const PARTS_ORDER = 'first_time, entry_ms, entry_seq, record_index'

/** A point or a rollup of a histogram or summary, as PostgreSQL gives it; arrays as text. */
export type DistributionRow = readonly [
  seriesId: string,
  points: string,
  firstTime: string,
  firstStart: string | null,
  lastTime: string,
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
  distribution: string | null,
]

/** With columns of the query's own after it. */
type RowOfPart = readonly [...DistributionRow, ...unknown[]]

/** What a row says. Undefined of a point that says that nothing was recorded. */
export function partOf(row: RowOfPart): HistogramPart | undefined {
  const [, points, firstTime, firstStart, lastTime] = row
  const times = {
    points: Number(points),
    firstTime: BigInt(firstTime),
    firstStart: firstStart === null ? undefined : BigInt(firstStart),
    lastTime: BigInt(lastTime),
  }
  const distribution = row[20]
  if (distribution !== null) return { ...times, ...readDistributionJson(distribution) }
  const point = histogramOf(row)
  if (point === undefined) return undefined
  const values = quantilesOf(row)
  const quantiles = values && { timeUnixNano: times.firstTime, values }
  return { ...times, first: point, last: point, since: undefined, quantiles }
}

function histogramOf(row: RowOfPart): HistogramPoint | undefined {
  const [, , , , , count, sum, min, max, bounds, counts, scale, zeroCount, zeroThreshold] = row
  if (count === null) return undefined
  const [positiveOffset, positive, negativeOffset, negative] = row.slice(14, 18) as [
    number | null,
    string | null,
    number | null,
    string | null,
  ]
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

/** The values of a summary by their quantiles; undefined where there are none. */
function quantilesOf(row: RowOfPart): ReadonlyMap<number, number> | undefined {
  const [quantiles, values] = row.slice(18, 20) as [string | null, string | null]
  if (quantiles === null || values === null) return undefined
  const found = numbersOf(values)
  const told = new Map(numbersOf(quantiles).map((quantile, index) => [quantile, found[index] ?? Number.NaN]))
  return told.size === 0 ? undefined : told
}

function bucketsOf(offset: number | null, counts: string | null): Buckets {
  return { offset: offset ?? 0, counts: counts === null ? [] : numbersOf(counts) }
}

/** The numbers of `{1,2.5,Infinity}`, PostgreSQL's text of an array. */
function numbersOf(array: string): readonly number[] {
  return array === '{}' ? [] : array.slice(1, -1).split(',').map(Number)
}
