import { Command } from 'commander'
import { logsCommand } from './query/logs-command.ts'
import { metricsCommand } from './query/metrics-command.ts'
import { spansCommand } from './query/spans-command.ts'
import { tracesCommand } from './query/traces-command.ts'
import { usageCommand } from './query/usage-command.ts'

const EXAMPLES = `
The words that filter are those of HTTP (--min-duration is minDuration). A table on a
terminal, the newest 100 unless --limit says otherwise; all of it as NDJSON into a pipe
or a file, or as CSV or Parquet, whatever there is. There is no time limit: Ctrl-C ends the query in
the server, too, and so does whoever reads no more. NO_COLOR=1 leaves colors out.

Needs PostgreSQL, no running service.

Examples:
  observatory query traces --status error --from -1h
  observatory query traces 5b8aa5a2d2c872e8321cf37308d69df2
  observatory query logs --level warn --q timeout | jq -r .body
  observatory query usage --by model,provider --from -1d`

/** `observatory query`: what is stored, for people and for pipes. */
export function queryCommand(): Command {
  return new Command('query')
    .description('Show traces, spans, log records, metrics and usage that are stored.')
    .addHelpText('after', EXAMPLES)
    .addCommand(tracesCommand())
    .addCommand(spansCommand())
    .addCommand(logsCommand())
    .addCommand(metricsCommand())
    .addCommand(usageCommand())
}
