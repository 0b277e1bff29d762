import { HistogramHistory } from '../../models/histograms/histogram-history.ts'
import type { ToldQuantiles } from '../../models/histograms/histogram-part.ts'
import { HistogramSum } from '../../models/histograms/histogram-sum.ts'
import { type DistributionRow, partOf } from '../../retention/rollups/metrics/distribution-row.ts'
import { type Aggregate, quantileOf } from './aggregates.ts'
import type { MetricQuery, TimeSpan } from './metric-query.ts'

/** A series whose points are read. */
export interface Series {
  /** JSON text. */
  readonly labels: string
  readonly isDelta: boolean
}

export interface DistributionSeriesOptions {
  readonly series: ReadonlyMap<string, Series>
  readonly query: MetricQuery
  readonly aggregates: readonly Aggregate[]
  readonly span: TimeSpan
}

const NANOS_PER_SECOND = 1e9

/**
 * The time series of histograms and summaries, of points and rollups in the order of time: rows as those of gauges and counters. What is held are the last of each
 * series and the sums of one step.
 */
export async function* distributionSeries(
  rows: AsyncIterable<DistributionRow>,
  { series, query, aggregates, span }: DistributionSeriesOptions,
): AsyncGenerator<readonly [string]> {
  const { step, conditions } = query
  const { from } = conditions
  const histories = new Map<string, HistogramHistory>()
  let cells = new Map<string, Cell>()
  let time: bigint | undefined
  for await (const row of rows) {
    const [seriesId] = row
    const of = series.get(seriesId)
    const part = partOf(row)
    if (of === undefined || part === undefined) continue
    const history = histories.get(seriesId) ?? new HistogramHistory(of.isDelta)
    histories.set(seriesId, history)
    if (from !== undefined && part.firstTime < from) {
      history.add(part, undefined, false)
      continue
    }
    const bucket = step === undefined ? undefined : (part.firstTime / step) * step
    if (bucket !== time) {
      yield* rowsOf(cells, { time, step, span, aggregates })
      cells = new Map()
      time = bucket
    }
    const cell = cells.get(of.labels) ?? new Cell()
    cells.set(of.labels, cell)
    const { firstStart } = part
    history.add(part, cell.sum, firstStart !== undefined && firstStart >= (from ?? firstStart))
    if (part.quantiles !== undefined) cell.tell(part.quantiles, seriesId)
  }
  yield* rowsOf(cells, { time, step, span, aggregates })
}

/** What was measured in a step with the same labels. */
class Cell {
  readonly sum = new HistogramSum()
  #told: { readonly quantiles: ToldQuantiles; readonly seriesId: string } | undefined

  /** Quantiles of summaries cannot be put together: the newest are told, of several series that of the last by its id. */
  tell(quantiles: ToldQuantiles, seriesId: string): void {
    const { quantiles: told, seriesId: by } = this.#told ?? { quantiles, seriesId }
    const isOlder =
      quantiles.timeUnixNano < told.timeUnixNano ||
      (quantiles.timeUnixNano === told.timeUnixNano && seriesId < by)
    if (!isOlder) this.#told = { quantiles, seriesId }
  }

  quantile(q: number): number | undefined {
    return this.#told === undefined ? this.sum.quantile(q) : this.#told.quantiles.values.get(q)
  }
}

interface Step extends Pick<DistributionSeriesOptions, 'aggregates' | 'span'> {
  readonly time: bigint | undefined
  readonly step: bigint | undefined
}

function* rowsOf(cells: ReadonlyMap<string, Cell>, step: Step): Generator<readonly [string]> {
  const seconds = secondsOf(step)
  const head = step.time === undefined ? '' : `"timeUnixNano":"${step.time}",`
  for (const [labels, cell] of [...cells].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const members = step.aggregates.map(
      (word) => `${JSON.stringify(word)}:${numberText(aggregateOf(word, cell, seconds))}`,
    )
    yield [`{${head}"labels":${labels},${members.join(',')}}`]
  }
}

/** How much of a step lies in the time range: a rate is of that. */
function secondsOf({ time, step, span }: Step): number | undefined {
  const start = later(time, span.start)
  const end = time === undefined || step === undefined || time + step > span.end ? span.end : time + step
  return start === undefined || end <= start ? undefined : Number(end - start) / NANOS_PER_SECOND
}

function later(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}

function aggregateOf(word: Aggregate, cell: Cell, seconds: number | undefined): number | undefined {
  const quantile = quantileOf(word)
  if (quantile !== undefined) return cell.quantile(quantile)
  const { sum } = cell
  switch (word) {
    case 'avg':
      return sum.sum === undefined || sum.count === 0 ? undefined : sum.sum / sum.count
    case 'sum':
      return sum.sum
    case 'min':
      return sum.min
    case 'max':
      return sum.max
    case 'rate':
      return seconds === undefined ? undefined : sum.count / seconds
    default:
      return sum.count
  }
}

/** A number as JSON has it; what JSON has no number for as text, as in OTLP. */
function numberText(value: number | undefined): string {
  if (value === undefined) return 'null'
  return Number.isFinite(value) ? String(value) : `"${value}"`
}
