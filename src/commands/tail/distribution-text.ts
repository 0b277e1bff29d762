import type { HistogramPoint } from '../../models/histograms/histogram-point.ts'
import { HistogramSum } from '../../models/histograms/histogram-sum.ts'
import type { TailedBuckets, TailedRecord } from './tailed-record.ts'

type Numeric = number | bigint | string

/** Digits of what is estimated. */
const DIGITS = 3
const QUANTILES = [0.5, 0.95]

/** A histogram or a summary in short: `count 3, sum 12.5 ms, min 1 ms, max 8 ms, p50 ~3.2 ms, p95 ~7.7 ms`. Of a histogram quantiles are interpolated. */
export function distributionText(record: TailedRecord, withUnit: (number: Numeric) => string): string {
  const { count, sum, min, max, quantiles } = record
  const told = Object.entries({ sum, min, max }).flatMap(([name, number]) =>
    number === undefined ? [] : [`${name} ${withUnit(number)}`],
  )
  const known = (quantiles ?? []).map(
    ({ quantile, value }) => `p${Number((quantile * 100).toPrecision(6))} ${withUnit(value)}`,
  )
  const parts = [count !== undefined && `count ${count}`, ...told, ...known, ...estimates(record, withUnit)]
  return parts.filter(Boolean).join(', ')
}

function estimates(record: TailedRecord, withUnit: (number: Numeric) => string): readonly string[] {
  const point = pointOf(record)
  if (point.explicit === undefined && point.exponential === undefined) return []
  const sum = new HistogramSum()
  sum.add(point)
  return QUANTILES.flatMap((quantile) => {
    const value = sum.quantile(quantile)
    return value === undefined ? [] : [`p${quantile * 100} ~${withUnit(Number(value.toPrecision(DIGITS)))}`]
  })
}

function pointOf(record: TailedRecord): HistogramPoint {
  const { count = 0, explicitBounds, bucketCounts, scale } = record
  return {
    count: Number(count),
    ...(explicitBounds !== undefined &&
      bucketCounts !== undefined && {
        explicit: { bounds: explicitBounds.map(Number), counts: bucketCounts.map(Number) },
      }),
    ...(scale !== undefined && {
      exponential: {
        scale,
        zeroCount: Number(record.zeroCount ?? 0),
        zeroThreshold: Number(record.zeroThreshold ?? 0),
        positive: bucketsOf(record.positive),
        negative: bucketsOf(record.negative),
      },
    }),
  }
}

function bucketsOf({ offset = 0, bucketCounts = [] }: TailedBuckets = {}) {
  return { offset, counts: bucketCounts.map(Number) }
}
