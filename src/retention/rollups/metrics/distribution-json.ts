import type { HistogramPart } from '../../../models/histograms/histogram-part.ts'

/** What a rollup of histograms has in its column `distribution`: {@link HistogramPart} but its times and its count of points. */
interface DistributionJson extends Pick<HistogramPart, 'first' | 'last' | 'since'> {
  readonly quantiles?: readonly [timeUnixNano: string, values: readonly (readonly [number, number])[]]
}

/** What JSON has no numbers for is told as text, as in OTLP. */
export function distributionJson({ points, first, last, since, quantiles }: HistogramPart): string {
  const json: Partial<DistributionJson> = {
    first,
    // Of one point it is the first.
    last: points === 1 ? undefined : last,
    since,
    ...(quantiles !== undefined && {
      quantiles: [String(quantiles.timeUnixNano), [...quantiles.values]] as const,
    }),
  }
  return JSON.stringify(json, (_, value) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  )
}

export function readDistributionJson(
  text: string,
): Pick<HistogramPart, 'first' | 'last' | 'since' | 'quantiles'> {
  const { first, last, since, quantiles } = JSON.parse(text, (_, value) =>
    value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : value,
  ) as DistributionJson
  return {
    first,
    last: last ?? first,
    since,
    quantiles: quantiles && { timeUnixNano: BigInt(quantiles[0]), values: new Map(quantiles[1]) },
  }
}
