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

/** SQL of points `p` of histograms and summaries, as {@link ROLLUP_PARTS} has rollups; that each is one, and ends when it begins, need not be sent. */
export const POINT_PARTS = `
  p.series_id, null::bigint as points, p.time_unix_nano as first_time, p.start_time_unix_nano as first_start, null::bigint as last_time,
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
  points: string | null,
  firstTime: string,
  firstStart: string | null,
  lastTime: string | null,
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
  const [, points, firstTimeText, start, lastTime] = row
  const firstTime = BigInt(firstTimeText)
  const firstStart = start === null ? undefined : BigInt(start)
  const distribution = row[20]
  if (distribution !== null) {
    const times = {
      points: Number(points),
      firstTime,
      firstStart,
      lastTime: BigInt(lastTime ?? firstTimeText),
    }
    return { ...times, ...readDistributionJson(distribution) }
  }
  const point = histogramOf(row)
  if (point === undefined) return undefined
  const values = quantilesOf(row)
  const quantiles = values && { timeUnixNano: firstTime, values }
  return {
    points: 1,
    firstTime,
    firstStart,
    lastTime: firstTime,
    first: point,
    last: point,
    since: undefined,
    quantiles,
  }
}

function histogramOf(row: RowOfPart): HistogramPoint | undefined {
  const [, , , , , count, sum, min, max, bounds, counts, scale, zeroCount, zeroThreshold] = row
  if (count === null) return undefined
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
        positive: bucketsOf(row[14], row[15]),
        negative: bucketsOf(row[16], row[17]),
      },
    }),
  }
}

/** The values of a summary by their quantiles; undefined where there are none. */
function quantilesOf(row: RowOfPart): ReadonlyMap<number, number> | undefined {
  const [quantiles, values] = [row[18], row[19]]
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
