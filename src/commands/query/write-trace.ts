import { pipeline } from 'node:stream/promises'
import { ObservatoryError } from '../../errors.ts'
import { jsonDocument } from '../../http/encoders/json-document.ts'
import { readTraceView, type TraceView, type TraceViewRepositories } from '../../repositories/trace-view.ts'
import { formatCount } from '../text-table.ts'
import { formatCost, formatNanos, formatTime } from './format-value.ts'
import { type Paint, paintFor } from './paint.ts'
import type { QueryOutput } from './query-output.ts'
import { counted, withReadProgress } from './read-progress.ts'
import { readRow } from './table-column.ts'
import { fitLine } from './text-width.ts'
import type { TraceSummary } from './trace-listing.ts'
import { waterfall } from './waterfall.ts'
import { type TraceSpan, type WaterfallSpan, waterfallSpan } from './waterfall-span.ts'

type TraceHead = TraceSummary & { readonly spansAreCut?: boolean }

/** Of what is no terminal, or does not say. */
const USUAL_WIDTH = 120

/**
 * Writes one trace: as a waterfall, or its spans as NDJSON, in the order of its tree, with what was said in them.
 *
 * @throws ObservatoryError ERR_USAGE when there is none of this id.
 */
export async function writeTrace(
  repositories: TraceViewRepositories,
  traceId: string,
  output: QueryOutput,
): Promise<void> {
  const { format, stdout, stderr, signal } = output
  await withReadProgress({ noun: 'spans', stdout, stderr }, async (tally) => {
    const view = await readTraceView(repositories, traceId, signal)
    if (view === undefined) {
      throw new ObservatoryError(
        'ERR_USAGE',
        `there is no trace ${traceId}; see "observatory query traces --from -1d"`,
      )
    }
    const spans = counted(view.spans, tally)
    const body =
      format === 'ndjson'
        ? jsonDocument({ head: view.head, name: 'spans', items: spans }, 'ndjson')
        : traceText({ ...view, spans }, { width: stdout.columns || USUAL_WIDTH, paint: paintFor(stdout) })
    await pipeline(body, stdout, { end: false })
    if (readRow<TraceHead>(view.head).spansAreCut)
      stderr.write(`more spans: observatory query spans --trace-id ${traceId} --json has all of them\n`)
  })
}

async function* traceText(
  { head, spans }: TraceView,
  options: { readonly width: number; readonly paint: Paint },
): AsyncGenerator<string> {
  const trace = readRow<TraceHead>(head)
  yield headText(trace, options)
  const held: WaterfallSpan[] = []
  for await (const json of spans) held.push(waterfallSpan(readRow<TraceSpan>(json)))
  const { startTimeUnixNano, durationNs: duration } = trace
  yield* waterfall(held, { start: BigInt(startTimeUnixNano), duration }, options)
}

function headText(
  trace: TraceHead,
  { width, paint }: { readonly width: number; readonly paint: Paint },
): string {
  const { traceId, name, services, startTimeUnixNano, durationNs, spanCount, errorCount } = trace
  const { inputTokens, outputTokens, cost } = trace
  const parts = [
    formatTime(startTimeUnixNano),
    formatNanos(durationNs),
    plural(spanCount, 'span'),
    ...(errorCount > 0 ? [paint(plural(errorCount, 'error'), 'bad')] : []),
    ...(inputTokens === undefined ? [] : [`${formatCount(inputTokens)} tokens in`]),
    ...(outputTokens === undefined ? [] : [`${formatCount(outputTokens)} out`]),
    ...(cost === undefined ? [] : [formatCost(cost)]),
  ]
  const title = fitLine(`${name} (${services.join(', ')})`, width)
  return `${paint(title, 'strong')}\ntrace ${traceId}\n${parts.join(', ')}\n\n`
}

function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}
