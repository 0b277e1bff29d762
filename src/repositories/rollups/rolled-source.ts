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
  /** SQL of the members of the result over rollups, but the quantiles. */
  readonly measures: string
  /** SQL of how many there are, as GroupedSource has it. */
  readonly rateOf?: string
  /** The members that are quantiles, and the sketch that each is of. */
  readonly quantiles: Readonly<Record<string, string>>
  readonly order: string
}

const SPAN_TEXTS = {
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
const sumOf = (column: string) => `coalesce(sum(${column}), 0)`

const SPAN_COLUMNS: FilterColumns = {
  time: 'bucket',
  timeUnixNano: 'bucket',
  texts: SPAN_TEXTS,
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
  measures: `'count', ${COUNT}, 'errorCount', ${sumOf('error_count')}, 'errorRate', ${ERROR_RATE}`,
  rateOf: COUNT,
  quantiles: { durationNs: 'duration' },
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
    environment: 'environment',
    prompt: 'prompt_name',
    promptVersion: 'prompt_version',
  },
  measures: `'calls', ${COUNT}, 'errorCount', ${sumOf('error_count')}, 'errorRate', ${ERROR_RATE},
    'inputTokens', ${sumOf('input_tokens')}, 'outputTokens', ${sumOf('output_tokens')},
    'cachedTokens', ${sumOf('cached_tokens')}, 'cacheCreationTokens', ${sumOf('cache_creation_tokens')},
    'reasoningTokens', ${sumOf('reasoning_tokens')}, 'cost', ${sumOf('cost')},
    'callsWithoutCost', ${sumOf('count_without_cost')}`,
  quantiles: { durationNs: 'duration', timeToFirstTokenNs: 'first_token' },
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
  quantiles: {},
  order: 'sum(count) desc',
}
