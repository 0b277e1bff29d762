import type { Readable } from 'node:stream'
import type pg from 'pg'
import type { RecordFilter } from './filter.ts'
import { type GroupedSource, type Grouping, groupedQuery, quantiles, quantilesCsv } from './grouped-query.ts'
import { LOG_RECORD_COLUMNS } from './log-record-repository.ts'
import { POINT_COLUMNS } from './metric-repository.ts'
import type { ResultCache } from './result-cache.ts'
import { readPieces } from './rollups/read-pieces.ts'
import { knowRollups, rolledQuery } from './rollups/rolled-query.ts'
import { ROLLED_LLM_USAGE, ROLLED_LOG_LEVELS, ROLLED_SPAN_STATISTICS } from './rollups/rolled-source.ts'
import { withQuantiles } from './rollups/with-quantiles.ts'
import { type SqlQuery, streamRows, streamSnapshot } from './stream-rows.ts'
import { SPAN_COLUMNS } from './trace-repository.ts'

/** `{count, rate, errorCount, errorRate, durationNs: {p50, p90, p95, p99}}` of spans; `rate` by the second. */
export const SPAN_STATISTICS: GroupedSource = {
  signal: 'traces',
  view: 'span_view',
  columns: SPAN_COLUMNS,
  groups: {
    service: 'service',
    environment: 'environment',
    name: 'name',
    kind: 'kind',
    status: 'status',
    operation: 'operation',
    provider: 'provider',
    model: 'model',
  },
  measures: `'count', count(*), 'errorCount', count(*) filter (where status_code = 2),
    'errorRate', round(avg((status_code = 2)::int), 6), 'durationNs', ${quantiles('duration_ns')}`,
  csv: ['count', 'rate', 'errorCount', 'errorRate', ...quantilesCsv('durationNs')],
  rateOf: 'count(*)',
  order: 'count(*) desc',
  rolled: ROLLED_SPAN_STATISTICS,
}

/**
 * `{calls, errorCount, errorRate, inputTokens, outputTokens, cachedTokens, cacheCreationTokens, reasoningTokens, cost, callsWithoutCost, durationNs, timeToFirstTokenNs}` of calls of
 * models: cost in US dollars, the last two quantiles.
 */
export const LLM_USAGE: GroupedSource = {
  signal: 'traces',
  view: 'llm_calls',
  columns: SPAN_COLUMNS,
  groups: {
    model: 'model',
    provider: 'provider',
    service: 'service',
    environment: 'environment',
    operation: 'operation',
    prompt: 'prompt_name',
    promptVersion: 'prompt_version',
    user: 'user_id',
    session: 'session_id',
    finishReason: 'finish_reason',
    errorType: 'error_type',
  },
  measures: `'calls', count(*), 'errorCount', count(*) filter (where is_error), 'errorRate', round(avg(is_error::int), 6),
    'inputTokens', coalesce(sum(input_tokens), 0), 'outputTokens', coalesce(sum(output_tokens), 0),
    'cachedTokens', coalesce(sum(cached_tokens), 0), 'cacheCreationTokens', coalesce(sum(cache_creation_tokens), 0),
    'reasoningTokens', coalesce(sum(reasoning_tokens), 0), 'cost', coalesce(sum(cost), 0),
    'callsWithoutCost', count(*) filter (where cost is null), 'durationNs', ${quantiles('duration_ns')},
    'timeToFirstTokenNs', ${quantiles('time_to_first_token_ns')}`,
  csv: [
    ...[
      'calls',
      'errorCount',
      'errorRate',
      'inputTokens',
      'outputTokens',
      'cachedTokens',
      'cacheCreationTokens',
    ],
    ...['reasoningTokens', 'cost', 'callsWithoutCost'],
    ...quantilesCsv('durationNs'),
    ...quantilesCsv('timeToFirstTokenNs'),
  ],
  order: 'coalesce(sum(cost), 0) desc, count(*) desc',
  rolled: ROLLED_LLM_USAGE,
}

/** `{count}` of log records by level. */
export const LOG_LEVELS: GroupedSource = {
  signal: 'logs',
  view: 'log_view',
  columns: LOG_RECORD_COLUMNS,
  groups: { level: 'level', service: 'service', environment: 'environment', eventName: 'event_name' },
  measures: `'count', count(*)`,
  csv: ['count'],
  order: 'count(*) desc',
  rolled: ROLLED_LOG_LEVELS,
}

/** `{points, series, newestUnixNano}` of metrics. */
export const METRIC_STATISTICS: GroupedSource = {
  signal: 'metrics',
  view: 'point_view',
  columns: POINT_COLUMNS,
  groups: { name: 'name', type: 'type', unit: 'unit', service: 'service', environment: 'environment' },
  measures: `'points', count(*), 'series', count(distinct series_id), 'newestUnixNano', max(time_unix_nano)::text`,
  csv: ['points', 'series', 'newestUnixNano'],
  order: 'count(*) desc',
}

/** Counts and measures what is stored. */
export class StatisticsRepository {
  readonly #pool: pg.Pool
  readonly #cache: ResultCache | undefined

  constructor(pool: pg.Pool, cache?: ResultCache) {
    this.#pool = pool
    this.#cache = cache
  }

  /**
   * The groups of the records that match: a stream of rows as {@link groupedQuery} says. Where rollups know enough they answer, and rows only for what these do not have; the answer is the
   * same, and has what retention has taken away, too. With a cache, {@link ResultCache.answer}.
   */
  streamGroups(
    source: GroupedSource,
    filter: RecordFilter,
    { signal, ...grouping }: Grouping & { readonly signal: AbortSignal },
  ): Promise<Readable> {
    const ofRows = groupedQuery(source, filter, grouping)
    const read = () => this.#read(source, { filter, grouping, ofRows }, signal)
    const { from, to } = filter
    // A rate that has no end is of the time until now.
    const isUntilNow = source.rateOf !== undefined && to === undefined && grouping.now !== undefined
    if (this.#cache === undefined || isUntilNow) return read()
    return this.#cache.answer(this.#pool, { from, to, signal: source.signal, question: ofRows, read }, signal)
  }

  async #read(
    source: GroupedSource,
    {
      filter,
      grouping,
      ofRows,
    }: { readonly filter: RecordFilter; readonly grouping: Grouping; readonly ofRows: SqlQuery },
    signal: AbortSignal,
  ): Promise<Readable> {
    const { rolled, columns: asked } = source
    if (rolled === undefined || !knowRollups(rolled, { ...grouping, filter, asked }))
      return streamRows(this.#pool, ofRows, signal)
    const rows = await streamSnapshot(
      this.#pool,
      async (client) => {
        const known = await readPieces(client, rolled.rollup, { ...grouping, ...filter })
        return known === undefined ? ofRows : rolledQuery(rolled, { ...grouping, ...known, filter })
      },
      signal,
    )
    return withQuantiles(rows, rolled)
  }
}
