import type pg from 'pg'
import type { RecordFilter } from '../../src/repositories/filter.ts'
import type { GroupedSource, Grouping } from '../../src/repositories/grouped-query.ts'
import { MetricRepository } from '../../src/repositories/metric-repository.ts'
import {
  LLM_USAGE,
  LOG_LEVELS,
  METRIC_STATISTICS,
  SPAN_STATISTICS,
  StatisticsRepository,
} from '../../src/repositories/statistics-repository.ts'
import type { DaySums } from './day-sums.ts'
import { DAY_MS } from './telemetry.ts'

/** The first half of them are counters (workload.ts). */
const METRICS = 10
const DAY_NS = BigInt(DAY_MS) * 1_000_000n

/** Unix milliseconds, the end exclusive. */
export interface TimeRange {
  readonly fromMs: number
  readonly toMs: number
}

const QUESTIONS: readonly (readonly [GroupedSource, Grouping])[] = [
  [LLM_USAGE, { by: ['model', 'provider'], step: DAY_NS }],
  [SPAN_STATISTICS, { by: ['service', 'name', 'status'], step: undefined }],
  [SPAN_STATISTICS, { by: [], step: DAY_NS / 24n }],
  [LOG_LEVELS, { by: ['service', 'level'], step: DAY_NS }],
]

const inRange = ({ fromMs, toMs }: TimeRange): RecordFilter => ({
  from: BigInt(fromMs) * 1_000_000n,
  to: BigInt(toMs) * 1_000_000n,
  limit: null,
})

async function ask<T>(
  pool: pg.Pool,
  source: GroupedSource,
  range: TimeRange,
  grouping: Grouping,
): Promise<T[]> {
  const signal = new AbortController().signal
  const rows = await new StatisticsRepository(pool).streamGroups(source, inRange(range), {
    ...grouping,
    signal,
  })
  return ((await rows.toArray()) as [string][]).map(([json]) => JSON.parse(json))
}

const rowsOnly = ({ rolled: _, ...source }: GroupedSource): GroupedSource => source

/** Usage, statistics and levels of a time, as the API answers: from rollups where these are, or from `rows` alone. */
export async function askAll(pool: pg.Pool, range: TimeRange, from?: 'rows'): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const [source, grouping] of QUESTIONS)
    answers.push(await ask(pool, from === 'rows' ? rowsOnly(source) : source, range, grouping))
  return answers
}

interface OfDay {
  readonly timeUnixNano: string
}

/** What each day counts and adds up to, as the API answers. */
export async function askSums(
  pool: pg.Pool,
  range: TimeRange,
  from?: 'rows',
): Promise<ReadonlyMap<number, Partial<DaySums>>> {
  const sums = new Map<number, Partial<DaySums>>()
  const add = ({ timeUnixNano }: OfDay, members: Partial<DaySums>) => {
    const day = Number(BigInt(timeUnixNano) / 1_000_000n)
    sums.set(day, { ...sums.get(day), ...members })
  }
  const of = (source: GroupedSource) => (from === 'rows' ? rowsOnly(source) : source)
  const byDay = { by: [], step: DAY_NS }
  type Usage = OfDay & Readonly<Record<'calls' | 'errorCount' | 'inputTokens' | 'outputTokens', number>>
  for (const usage of await ask<Usage>(pool, of(LLM_USAGE), range, byDay)) {
    const { calls, errorCount, inputTokens, outputTokens } = usage
    add(usage, { spans: calls, spanErrors: errorCount, inputTokens, outputTokens })
  }
  type Level = OfDay & { readonly level: string; readonly count: number }
  const logs = new Map<string, { all: number; errors: number }>()
  for (const { timeUnixNano, level, count } of await ask<Level>(pool, of(LOG_LEVELS), range, {
    ...byDay,
    by: ['level'],
  })) {
    const { all, errors } = logs.get(timeUnixNano) ?? { all: 0, errors: 0 }
    logs.set(timeUnixNano, { all: all + count, errors: errors + (level === 'error' ? count : 0) })
  }
  for (const [timeUnixNano, { all, errors }] of logs) add({ timeUnixNano }, { logs: all, errorLogs: errors })
  type Points = OfDay & { readonly points: number }
  if (from === 'rows') {
    for (const each of await ask<Points>(pool, METRIC_STATISTICS, range, byDay))
      add(each, { points: each.points })
  } else {
    for (const { timeUnixNano, count } of await askSeries(pool, range)) {
      const { points = 0 } = sums.get(Number(BigInt(timeUnixNano) / 1_000_000n)) ?? {}
      add({ timeUnixNano }, { points: points + count })
    }
  }
  return sums
}

/** What a metric of the workload was on one day, for one service. */
export type OfSeries = OfDay & { readonly name: string; readonly count: number }

/** All metrics by day and service: how many points, what counters counted, and the least, greatest and last of the others. */
export async function askSeries(pool: pg.Pool, range: TimeRange): Promise<readonly OfSeries[]> {
  const { limit: _, ...conditions } = inRange(range)
  const all: OfSeries[] = []
  for (let metric = 0; metric < METRICS; metric += 1) {
    const name = `gen_ai.client.metric_${metric}`
    const query = {
      name,
      conditions,
      aggregates:
        metric < METRICS / 2 ? (['count', 'increase'] as const) : (['count', 'min', 'max', 'last'] as const),
      by: ['service'],
      step: DAY_NS,
      limit: null,
    }
    const rows = await new MetricRepository(pool).queryMetric(query, new AbortController().signal)
    for (const [json] of ((await rows?.toArray()) ?? []) as [string][])
      all.push({ name, ...JSON.parse(json) })
  }
  return all
}
