import { LOG_ROLLUP, type Rollup, SPAN_ROLLUP } from '../../retention/rollups/rollup.ts'
import type { FilterColumns } from '../filter.ts'

/** How a question about the rows of a view is answered by rollups. What it says is what its GroupedSource says of the rows: the answers are equal. */
export interface RolledSource {
  readonly rollup: Rollup
  /** SQL of the rollups that have the rows of the view. */
  readonly only: string
  /** What can be filtered by. */
  readonly columns: FilterColumns
  readonly groups: Readonly<Record<string, string>>
  /** SQL over rows of `longSql` that have the running sum `bucket_sum` and the total `bucket_total` of their sketch. */
  readonly measures: string
  readonly order: string
}

const CALL_TEXTS = {
  service: 'service',
  name: 'name',
  environment: 'environment',
  model: 'model',
  provider: 'provider',
  operation: 'operation',
  prompt: 'prompt_name',
}

const STATUS = `case status_code when 1 then 'ok' when 2 then 'error' else 'unset' end`
const KIND = `case kind when 1 then 'internal' when 2 then 'server' when 3 then 'client' when 4 then 'producer'
  when 5 then 'consumer' else 'unspecified' end`
const LEVEL = `case when severity_number = 0 then null
  else (array['trace', 'debug', 'info', 'warn', 'error', 'fatal'])[(severity_number + 3) / 4] end`

const COUNT = 'coalesce(sum(count), 0)'
const ERROR_RATE = 'round(sum(error_count) / nullif(sum(count), 0), 6)'
const DURATION = rolledQuantiles(1, 'duration')
const sumOf = (column: string) => `coalesce(sum(${column}), 0)`

const SPAN_COLUMNS: FilterColumns = {
  time: 'bucket',
  timeUnixNano: 'bucket',
  texts: CALL_TEXTS,
  statusCode: 'status_code',
  kindCode: 'kind',
}

export const ROLLED_SPAN_STATISTICS: RolledSource = {
  rollup: SPAN_ROLLUP,
  only: 'true',
  columns: SPAN_COLUMNS,
  groups: {
    service: 'service',
    environment: 'environment',
    name: 'name',
    kind: KIND,
    status: STATUS,
    operation: 'operation',
    provider: 'provider',
    model: 'model',
  },
  measures: `'count', ${COUNT}, 'errorCount', ${sumOf('error_count')}, 'errorRate', ${ERROR_RATE}, 'durationNs', ${DURATION}`,
  order: 'sum(count) desc',
}

export const ROLLED_LLM_USAGE: RolledSource = {
  rollup: SPAN_ROLLUP,
  only: 'is_call',
  columns: SPAN_COLUMNS,
  groups: {
    model: 'model',
    provider: 'provider',
    service: 'service',
    operation: 'operation',
    prompt: 'prompt_name',
    promptVersion: 'prompt_version',
  },
  measures: `'calls', ${COUNT}, 'errorCount', ${sumOf('error_count')}, 'errorRate', ${ERROR_RATE},
    'inputTokens', ${sumOf('input_tokens')}, 'outputTokens', ${sumOf('output_tokens')},
    'cachedTokens', ${sumOf('cached_tokens')}, 'cacheCreationTokens', ${sumOf('cache_creation_tokens')},
    'reasoningTokens', ${sumOf('reasoning_tokens')}, 'cost', ${sumOf('cost')},
    'callsWithoutCost', ${sumOf('count_without_cost')}, 'durationNs', ${DURATION},
    'timeToFirstTokenNs', ${rolledQuantiles(2, 'first_token')}`,
  order: `${sumOf('cost')} desc, sum(count) desc`,
}

export const ROLLED_LOG_LEVELS: RolledSource = {
  rollup: LOG_ROLLUP,
  only: 'true',
  columns: {
    time: 'bucket',
    timeUnixNano: 'bucket',
    texts: { service: 'service', environment: 'environment', name: 'event_name' },
    severityNumber: 'severity_number',
  },
  groups: { level: LEVEL, service: 'service', environment: 'environment', eventName: 'event_name' },
  measures: `'count', ${COUNT}`,
  order: 'sum(count) desc',
}

/** SQL of the quantiles of a sketch, as `quantiles` of grouped-query.ts has them. @param part its number, from 1. */
function rolledQuantiles(part: number, name: string): string {
  const members = [50, 90, 95, 99].map((percent) => {
    const bucket = `min(bucket) filter (where part = ${part} and bucket_sum >= ceil(${percent / 100}::double precision * bucket_total))`
    return `'p${percent}', greatest(min(${name}_min), least(max(${name}_max), sketch_value(${bucket})))`
  })
  return `case when count(*) filter (where part = ${part}) > 0 then jsonb_build_object(${members.join(', ')}) end`
}
