import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { FilterColumns } from '../../repositories/filter.ts'
import { LOG_RECORD_COLUMNS } from '../../repositories/log-record-repository.ts'
import { POINT_COLUMNS } from '../../repositories/metric-repository.ts'
import { SPAN_COLUMNS } from '../../repositories/trace-repository.ts'

/** What can be tailed: how it is called, and by what it is filtered. */
export interface TailedSignal {
  /** In routes and on the command line. */
  readonly path: 'logs' | 'spans' | 'metrics'
  readonly signal: TelemetrySignal
  /** For a person, in the plural. */
  readonly noun: string
  readonly columns: FilterColumns
  readonly examples: string
}

const LOGS = `
Examples:
  observatory tail logs --level warn
  observatory tail logs --service assistant -n 50 -i 'timeout|refused' -e healthz
  observatory tail logs --since -15m --no-follow | jq -r .body
  observatory tail logs --q 'rate limit' --template '{{time}} {{attributes.user.id}} {{body}}'`

const SPANS = `
Examples:
  observatory tail spans --status error
  observatory tail spans --model gpt-4o --min-duration 2s --full-ids
  observatory tail spans --sample 0.01 -o logfmt
  observatory tail spans --operation execute_tool --template '{{service}} {{name}} {{duration}}'`

const METRICS = `
Examples:
  observatory tail metrics --name gen_ai.client.token.usage
  observatory tail metrics --service assistant --attr http.route=/chat -n 0
  observatory tail metrics -o json | jq -c '[.name, .value]'`

export const TAILED_SIGNALS: readonly TailedSignal[] = [
  { path: 'logs', signal: 'logs', noun: 'log records', columns: LOG_RECORD_COLUMNS, examples: LOGS },
  { path: 'spans', signal: 'traces', noun: 'spans', columns: SPAN_COLUMNS, examples: SPANS },
  {
    path: 'metrics',
    signal: 'metrics',
    noun: 'points of metrics',
    columns: POINT_COLUMNS,
    examples: METRICS,
  },
]
