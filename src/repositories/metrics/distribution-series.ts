import type { HistogramPoint } from '../../models/histograms/histogram-point.ts'
import { HistogramSum } from '../../models/histograms/histogram-sum.ts'
import { increaseOf } from '../../models/histograms/increase-of.ts'
import { type Aggregate, quantileOf } from './aggregates.ts'
import { type DistributionRow, histogramOf, quantilesOf } from './distribution-point.ts'
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

interface Previous {
  readonly timeUnixNano: bigint
  readonly point: HistogramPoint
}

const NANOS_PER_SECOND = 1e9

/**
 * The time series of histograms and summaries, of their points in the order of time: rows as those of gauges and counters. What is held are the last point of each
 * series and the sums of one step.
 */
export async function* distributionSeries(
  points: AsyncIterable<DistributionRow>,
  { series, query, aggregates, span }: DistributionSeriesOptions,
): AsyncGenerator<readonly [string]> {
  const { step, conditions } = query
  const { from } = conditions
  const previous = new Map<string, Previous>()
  let cells = new Map<string, Cell>()
  let time: bigint | undefined
  for await (const row of points) {
    const [seriesId, timeText, startText] = row
    const of = series.get(seriesId)
    const point = histogramOf(row)
    if (of === undefined || point === undefined) continue
    const timeUnixNano = BigInt(timeText)
    const start = startText === null ? undefined : BigInt(startText)
    const increase = of.isDelta ? point : sincePrevious({ point, start, from }, previous.get(seriesId))
    if (!of.isDelta) previous.set(seriesId, { timeUnixNano, point })
    if (from !== undefined && timeUnixNano < from) continue
    const bucket = step === undefined ? undefined : (timeUnixNano / step) * step
    if (bucket !== time) {
      yield* rowsOf(cells, { time, step, span, aggregates })
      cells = new Map()
      time = bucket
    }
    const cell = cells.get(of.labels) ?? new Cell()
    cells.set(of.labels, cell)
    cell.add(increase, quantilesOf(row))
  }
  yield* rowsOf(cells, { time, step, span, aggregates })
}

/** As INCREASE of number-series.ts has it. Undefined where it is not known since when the point counts. */
function sincePrevious(
  {
    point,
    start,
    from,
  }: {
    readonly point: HistogramPoint
    readonly start: bigint | undefined
    readonly from: bigint | undefined
  },
  previous: Previous | undefined,
): HistogramPoint | undefined {
  if (previous === undefined) return start !== undefined && start >= (from ?? start) ? point : undefined
  return increaseOf(point, start !== undefined && start > previous.timeUnixNano ? undefined : previous.point)
}

/** What was measured in a step with the same labels. */
class Cell {
  readonly sum = new HistogramSum()
  #quantiles: ReadonlyMap<number, number> | undefined

  add(increase: HistogramPoint | undefined, quantiles: ReadonlyMap<number, number> | undefined): void {
    if (increase !== undefined) this.sum.add(increase)
    // Quantiles of summaries cannot be put together: the newest are told.
    if (quantiles !== undefined && quantiles.size > 0) this.#quantiles = quantiles
  }

  quantile(q: number): number | undefined {
    return this.#quantiles === undefined ? this.sum.quantile(q) : this.#quantiles.get(q)
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
