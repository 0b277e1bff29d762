import type { TelemetrySignal } from '../../models/telemetry-signal.ts'

/** How a measure of several rollups is put together. */
export type Merge = 'sum' | 'min' | 'max'

/** What is counted and measured of the rows of a table, by minute, hour and day. */
export interface Rollup {
  readonly signal: TelemetrySignal
  readonly table: string
  readonly time: string
  readonly timeUnixNano: string
  /** Tables of the rollups; their columns are {@link minuteColumns} and {@link sketchedColumns}. */
  readonly minutes: string
  readonly hours: string
  readonly days: string
  /** What the rows of one rollup have in common: a column, and its SQL of a row `s` with its resource `r`. */
  readonly keys: Readonly<Record<string, string>>
  /** A column, the SQL of it over rows, and how it is put together. */
  readonly measures: Readonly<Record<string, readonly [sql: string, merge: Merge]>>
  /** Distributions, and the SQL of a value: `duration` has the columns `duration_buckets` and `duration_counts` of a minute, `duration_sketch` of an hour or day. */
  readonly sketches: Readonly<Record<string, string>>
}

/** Of spans. Calls to models are those of the view `llm_calls`. */
export const SPAN_ROLLUP: Rollup = {
  signal: 'traces',
  table: 'spans',
  time: 'start_time',
  timeUnixNano: 'start_time_unix_nano',
  minutes: 'span_rollup_minutes',
  hours: 'span_rollup_hours',
  days: 'span_rollup_days',
  keys: {
    kind: 's.kind',
    status_code: 's.status_code',
    is_call: `(s.request_model is not null or s.response_model is not null)
      and coalesce(s.operation, '') not in ('create_agent', 'invoke_agent', 'invoke_workflow', 'execute_tool')`,
    service: 's.service',
    name: 's.name',
    environment: 'r.environment',
    operation: 's.operation',
    provider: 's.provider',
    model: 'coalesce(s.response_model, s.request_model)',
    prompt_name: 's.prompt_name',
    prompt_version: 's.prompt_version',
  },
  measures: {
    count: ['count(*)', 'sum'],
    error_count: ['count(*) filter (where s.status_code = 2)', 'sum'],
    count_without_cost: ['count(*) filter (where s.cost is null)', 'sum'],
    input_tokens: ['sum(s.input_tokens)', 'sum'],
    output_tokens: ['sum(s.output_tokens)', 'sum'],
    cached_tokens: ['sum(s.cached_tokens)', 'sum'],
    cache_creation_tokens: ['sum(s.cache_creation_tokens)', 'sum'],
    reasoning_tokens: ['sum(s.reasoning_tokens)', 'sum'],
    cost: ['sum(s.cost)', 'sum'],
    duration_min: ['min(s.duration_ns)', 'min'],
    duration_max: ['max(s.duration_ns)', 'max'],
    first_token_min: ['min(s.time_to_first_token_ns)', 'min'],
    first_token_max: ['max(s.time_to_first_token_ns)', 'max'],
  },
  sketches: { duration: 's.duration_ns', first_token: 's.time_to_first_token_ns' },
}

/** Of log records. */
export const LOG_ROLLUP: Rollup = {
  signal: 'logs',
  table: 'log_records',
  time: 'time',
  timeUnixNano: 'time_unix_nano',
  minutes: 'log_rollup_minutes',
  hours: 'log_rollup_hours',
  days: 'log_rollup_days',
  keys: {
    severity_number: 's.severity_number',
    service: 's.service',
    environment: 'r.environment',
    event_name: 's.event_name',
  },
  measures: { count: ['count(*)', 'sum'] },
  sketches: {},
}

export const ROLLUPS: readonly Rollup[] = [SPAN_ROLLUP, LOG_ROLLUP]

/** Of metrics: see {@link rollUpMetrics}. */
export const METRIC_ROLLUP = { signal: 'metrics' } as const
export type MetricRollup = typeof METRIC_ROLLUP

/** The columns of rollups of minutes but `minute` and `removal_id`. */
export function minuteColumns({ keys, measures, sketches }: Rollup): readonly string[] {
  const arrays = Object.keys(sketches).flatMap((name) => [`${name}_buckets`, `${name}_counts`])
  return [...Object.keys(keys), ...Object.keys(measures), ...arrays]
}

/** The columns of rollups of hours and days but `hour` or `day` and `removal_id`. */
export function sketchedColumns({ keys, measures, sketches }: Rollup): readonly string[] {
  return [
    ...Object.keys(keys),
    ...Object.keys(measures),
    ...Object.keys(sketches).map((name) => `${name}_sketch`),
  ]
}
