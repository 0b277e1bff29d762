import type { MetricType } from '../../models/data-point.ts'
import { BadParameter } from '../bad-parameter.ts'
import { wordsOf } from '../read-grouping.ts'

/** What is told of the points of a step: a name, or a percentile such as `p95`. */
export type Aggregate = 'avg' | 'sum' | 'min' | 'max' | 'count' | 'last' | 'rate' | 'increase' | `p${number}`

const PERCENTILE = /^p(?:100|\d{1,2}(?:\.\d{1,3})?)$/
const NAMES: ReadonlySet<string> = new Set(['avg', 'sum', 'min', 'max', 'count', 'last', 'rate', 'increase'])

/** What can be told of each type, percentiles as `p`, and what is where nothing is asked for. */
const TOLD: Readonly<
  Record<MetricType, { readonly can: readonly string[]; readonly usual: readonly Aggregate[] }>
> = {
  gauge: { can: ['avg', 'sum', 'min', 'max', 'count', 'last', 'p'], usual: ['avg'] },
  updowncounter: {
    can: ['avg', 'sum', 'min', 'max', 'count', 'last', 'rate', 'increase', 'p'],
    usual: ['avg'],
  },
  counter: { can: ['rate', 'increase', 'sum', 'count', 'last'], usual: ['increase'] },
  histogram: { can: ['avg', 'sum', 'min', 'max', 'count', 'rate', 'increase', 'p'], usual: ['p50', 'p95'] },
  exponentialHistogram: {
    can: ['avg', 'sum', 'min', 'max', 'count', 'rate', 'increase', 'p'],
    usual: ['p50', 'p95'],
  },
  summary: { can: ['avg', 'sum', 'count', 'rate', 'increase', 'p'], usual: ['p50', 'p95'] },
}

/** The words of `agg=avg,p95`, each once; none where nothing is said. @throws BadParameter for another word. */
export function readAggregates(agg: string | undefined): readonly Aggregate[] {
  const words = wordsOf(agg)
  const unknown = words.find((word) => !NAMES.has(word) && !PERCENTILE.test(word))
  if (unknown === undefined) return words as Aggregate[]
  const detail = `agg must be any of ${[...NAMES].join(', ')} and percentiles like p50, p99.9, with commas between them, not ${unknown}`
  throw new BadParameter('agg', detail)
}

/** What to tell of a metric. @throws BadParameter for what cannot be told of its type. */
export function aggregatesOf(
  asked: readonly Aggregate[],
  { name, type }: { readonly name: string; readonly type: MetricType },
): readonly Aggregate[] {
  const { can, usual } = TOLD[type]
  const wrong = asked.find(
    (aggregate) => !can.includes(quantileOf(aggregate) === undefined ? aggregate : 'p'),
  )
  if (wrong === undefined) return asked.length === 0 ? usual : asked
  const words = can.map((word) => (word === 'p' ? 'p0 to p100' : word)).join(', ')
  throw new BadParameter('agg', `agg cannot be ${wrong} of ${name}, which is a ${type}: ${words} can`)
}

/** The quantile of a percentile, 0.95 of `p95`; undefined of others. */
export function quantileOf(aggregate: Aggregate): number | undefined {
  return PERCENTILE.test(aggregate) ? Number(aggregate.slice(1)) / 100 : undefined
}
