import { Argument, Command } from 'commander'
import { ObservatoryError } from '../../errors.ts'
import { filterWordsOf } from '../../repositories/filter-words.ts'
import { SPAN_COLUMNS } from '../../repositories/trace-repository.ts'
import {
  addFilterFlags,
  addOutputFlags,
  formatOf,
  type QueryFlags,
  readConditions,
  refuseFlags,
} from './query-flags.ts'
import { runQuery } from './run-query.ts'
import { traceListing } from './trace-listing.ts'
import { writeListing } from './write-listing.ts'
import { writeTrace } from './write-trace.ts'

const EXAMPLES = `
Without an id: traces with a span that matches, the newest first. With one: its spans
as a waterfall, indented as they call one another, with what went wrong and what calls
of models took; as NDJSON with what was said in them.

Examples:
  observatory query traces --status error --from -1h
  observatory query traces --min-duration 5s --model gpt-4o
  observatory query traces 5b8aa5a2d2c872e8321cf37308d69df2
  observatory query traces 5b8aa5a2d2c872e8321cf37308d69df2 --json | jq .conversation
  observatory query traces --from -1d | jq -r 'select(.cost > 0.1) | .traceId'`

/** `observatory query traces`. */
export function tracesCommand(): Command {
  const command = addFilterFlags(
    new Command('traces')
      .description('List traces, or show one as a waterfall.')
      .addArgument(new Argument('[trace-id]', 'one trace, 32 hex digits')),
    SPAN_COLUMNS,
  )
  return addOutputFlags(command, { noun: 'traces' }).addHelpText('after', EXAMPLES).action(queryTraces)
}

async function queryTraces(argument: string | undefined, flags: QueryFlags): Promise<void> {
  const traceId = readTraceId(argument, flags)
  if (traceId !== undefined) {
    await runQuery(flags, ({ output, ...repositories }) => writeTrace(repositories, traceId, output))
    return
  }
  const filter = readConditions(flags, SPAN_COLUMNS)
  await runQuery(flags, ({ traces, output }) =>
    writeListing(traceListing(traces, filter), flags.limit, output),
  )
}

/** @throws ObservatoryError ERR_USAGE for an id that is none, and for what means nothing beside one. */
function readTraceId(argument: string | undefined, flags: QueryFlags): string | undefined {
  const traceId = argument ?? flags.traceId
  if (traceId === undefined) return undefined
  readConditions({ traceId }, SPAN_COLUMNS)
  if (argument !== undefined) refuseFlags(flags, ['traceId'], 'the trace is named already')
  const others = filterWordsOf(SPAN_COLUMNS).filter((word) => word !== 'traceId')
  const why = `a trace is shown whole; "observatory query spans --trace-id ${traceId}" filters its spans`
  refuseFlags(flags, [...others, 'attr', 'limit'], why)
  if (formatOf(flags, process.stdout) === 'csv') {
    throw new ObservatoryError(
      'ERR_USAGE',
      `--format csv has no form for a tree; use "observatory query spans --trace-id ${traceId} --format csv"`,
    )
  }
  return traceId.toLowerCase()
}
