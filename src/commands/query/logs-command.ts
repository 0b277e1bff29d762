import { Command } from 'commander'
import type { AttributeValue } from '../../models/attributes.ts'
import { stringifyJson } from '../../models/json.ts'
import { LOG_RECORD_COLUMNS, LOG_RECORDS } from '../../repositories/log-record-repository.ts'
import { formatTime } from './format-value.ts'
import type { Style } from './paint.ts'
import { addFilterFlags, addOutputFlags, type QueryFlags, readConditions } from './query-flags.ts'
import { recordListing } from './record-listing.ts'
import { runQuery } from './run-query.ts'
import type { TableColumn } from './table-column.ts'
import { writeListing } from './write-listing.ts'

const EXAMPLES = `
Examples:
  observatory query logs --level error --from -1h
  observatory query logs --q 'timeout -retry' --service assistant
  observatory query logs --contains '] 504' --from -6h --order asc
  observatory query logs --trace-id 5b8aa5a2d2c872e8321cf37308d69df2 --json | jq .body
  observatory query logs --from -7d --format csv > logs.csv
  observatory query logs --from -7d --format parquet > logs.parquet`

interface LogRow {
  readonly timeUnixNano: string
  readonly severityNumber?: number
  readonly severityText?: string
  readonly service: string
  readonly eventName?: string
  readonly body?: AttributeValue
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

const COLUMNS: readonly TableColumn<LogRow>[] = [
  { heading: 'TIME', cell: ({ timeUnixNano }) => formatTime(timeUnixNano), style: () => 'faint' },
  { heading: 'LEVEL', cell: levelOf, style: styleOf, maxWidth: 8 },
  { heading: 'SERVICE', cell: ({ service }) => service, maxWidth: 16 },
  { heading: 'BODY', cell: textOf },
]

/** `observatory query logs`. */
export function logsCommand(): Command {
  const command = addFilterFlags(
    new Command('logs').description('List log records that match.'),
    LOG_RECORD_COLUMNS,
  )
  return addOutputFlags(command, { noun: 'log records', areRecords: true })
    .addHelpText('after', EXAMPLES)
    .action(queryLogs)
}

async function queryLogs(flags: QueryFlags): Promise<void> {
  const { order, limit } = flags
  const filter = { ...readConditions(flags, LOG_RECORD_COLUMNS), ...(order !== undefined && { order }) }
  await runQuery(flags, ({ logRecords, output }) => {
    const reads = {
      stream: logRecords.streamLogRecords.bind(logRecords),
      page: logRecords.pageLogRecords.bind(logRecords),
    }
    return writeListing(
      recordListing({ noun: 'log records', source: LOG_RECORDS, columns: COLUMNS, filter, reads }),
      limit,
      output,
    )
  })
}

/** Four severity numbers a level; what has none is called as it calls itself. */
function levelOf({ severityNumber, severityText = '' }: LogRow): string {
  return severityNumber === undefined ? severityText : (LEVELS[Math.floor((severityNumber - 1) / 4)] ?? '')
}

function styleOf({ severityNumber = 0 }: LogRow): Style | undefined {
  if (severityNumber >= 17) return 'bad'
  if (severityNumber >= 13) return 'warn'
  return severityNumber >= 9 ? 'good' : 'faint'
}

/** What is said, in one line; of an event its name; where nothing is said the attributes. */
function textOf({ eventName, body, attributes }: LogRow): string {
  const said = body ?? (Object.keys(attributes).length === 0 ? '' : attributes)
  const text = typeof said === 'string' ? said : stringifyJson(said as AttributeValue)
  return [eventName, text].filter(Boolean).join(' ')
}
