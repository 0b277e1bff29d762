import { formatNanos } from './format-value.ts'
import type { Paint } from './paint.ts'
import { fitLine, padText, textWidth } from './text-width.ts'
import type { WaterfallSpan } from './waterfall-span.ts'

export interface WaterfallOptions {
  /** Columns of the terminal. */
  readonly width: number
  readonly paint: Paint
}

const GAP = '  '
const INDENT = 2
const MIN_DETAIL = 12
/** Shares of the terminal: names and services may take so much, the bar has at least so much. Together they fit into 80 columns. */
const NAME_SHARE = 0.35
const SERVICE_SHARE = 0.15
const BAR_SHARE = 0.15

interface Layout {
  readonly name: number
  readonly service: number
  readonly duration: number
  readonly bar: number
  /** 0 where no span has any. */
  readonly detail: number
}

/**
 * A trace as its tree is read, a line a span: its name, indented by depth, its service, its duration, when in the trace it was as a bar, what went wrong, and what a
 * call of a model took.
 *
 * @param spans in the order of the tree; errors are marked by a cross.
 * @param start unix nanoseconds at which the trace begins.
 * @param duration nanoseconds that it takes.
 */
export function* waterfall(
  spans: readonly WaterfallSpan[],
  { start, duration }: { readonly start: bigint; readonly duration: number },
  options: WaterfallOptions,
): Generator<string> {
  const { paint } = options
  const known = new Set(spans.map(({ spanId }) => spanId))
  const lines = spans.map((span) => ({ span, detail: detailOf(span, known), length: lengthOf(span) }))
  const layout = layOut(lines, options)
  const scale = padText(`0 … ${formatNanos(duration)}`, layout.bar)
  const heading = [
    padText('SPAN', layout.name),
    padText('SERVICE', layout.service),
    padText('DURATION', layout.duration, 'right'),
    layout.detail === 0 ? scale.trimEnd() : scale,
    ...(layout.detail === 0 ? [] : ['DETAIL']),
  ]
  yield `${paint(heading.join(GAP), 'strong')}\n`
  for (const { span, detail, length } of lines) {
    const { isError } = span
    const cells = [
      paint(
        padText(fitLine(indented(span, layout.name), layout.name), layout.name),
        isError ? 'bad' : undefined,
      ),
      paint(padText(fitLine(span.service, layout.service), layout.service), 'faint'),
      padText(length, layout.duration, 'right'),
      paint(barOf(span, { start, duration, width: layout.bar }), isError ? 'bad' : 'bar'),
      ...(layout.detail === 0
        ? []
        : [paint(fitLine(detail, layout.detail), detail === '' ? undefined : isError ? 'bad' : 'faint')]),
    ]
    yield `${cells.join(GAP).trimEnd()}\n`
  }
}

function lengthOf({ durationNs }: WaterfallSpan): string {
  return durationNs === undefined ? 'no end' : formatNanos(durationNs)
}

/** Says of a span that stands at the top for want of its parent that it does. */
function detailOf({ parentSpanId, detail }: WaterfallSpan, known: ReadonlySet<string>): string {
  if (parentSpanId === undefined || known.has(parentSpanId)) return detail
  const missing = `parent ${parentSpanId} is missing`
  return detail === '' ? missing : `${missing}, ${detail}`
}

/** What lies deeper than there is room for says how deep it is. */
function indented({ name, depth, isError }: WaterfallSpan, room = Number.POSITIVE_INFINITY): string {
  const marked = isError ? `✗ ${name}` : name
  const deepest = Math.floor(room / 2 / INDENT)
  return depth <= deepest
    ? ' '.repeat(INDENT * depth) + marked
    : `${' '.repeat(INDENT * deepest)}[${depth}] ${marked}`
}

/** The columns as wide as what is in them, within their shares of the terminal; the bar has what is left. */
function layOut(
  lines: readonly { readonly span: WaterfallSpan; readonly detail: string; readonly length: string }[],
  { width }: WaterfallOptions,
): Layout {
  const widest = (text: (line: (typeof lines)[number]) => string, least: number, most: number) =>
    lines.reduce((so, line) => Math.min(most, Math.max(so, textWidth(fitLine(text(line), most)))), least)
  const nameRoom = Math.max(20, Math.floor(width * NAME_SHARE))
  const name = widest(({ span }) => indented(span, nameRoom), 'SPAN'.length, nameRoom)
  const service = widest(({ span }) => span.service, 'SERVICE'.length, Math.floor(width * SERVICE_SHARE))
  const duration = widest(({ length }) => length, 'DURATION'.length, 'DURATION'.length + 2)
  const left = width - name - service - duration - 3 * GAP.length
  const leastBar = Math.floor(width * BAR_SHARE)
  const wanted = widest(({ detail }) => detail, 0, width)
  if (wanted === 0) return { name, service, duration, bar: Math.max(leastBar, left), detail: 0 }
  const room = left - GAP.length
  // Half of it at most: long messages would leave the bar none.
  const detail = Math.max(MIN_DETAIL, Math.min(wanted, room - leastBar, Math.floor(room / 2)))
  return { name, service, duration, bar: Math.max(leastBar, room - detail), detail }
}

/** Where in the trace a span lies; however short it was, it is seen. */
function barOf(
  { startNs, durationNs = 0n }: WaterfallSpan,
  { start, duration, width }: { readonly start: bigint; readonly duration: number; readonly width: number },
): string {
  const share = (nanos: bigint) => (duration === 0 ? 0 : (Number(nanos) / duration) * width)
  const from = Math.max(0, Math.min(width - 1, Math.floor(share(startNs - start))))
  const length = Math.max(1, Math.min(width - from, Math.round(share(durationNs))))
  return `${' '.repeat(from)}${'█'.repeat(length)}${' '.repeat(width - from - length)}`
}
