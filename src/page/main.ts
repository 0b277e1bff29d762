import { visibleLine } from '../models/shown/visible-text.ts'
import { button, element } from './dom/element.ts'
import { FilterBar } from './filters/filter-bar.ts'
import { HealthStrip } from './health/health-strip.ts'
import { helpDialog } from './help-dialog.ts'
import { listenToKeys } from './keyboard.ts'
import type { TailRecord } from './records.ts'
import { TailView } from './tail/tail-view.ts'
import { traceOf } from './trace/record-details.ts'
import { TraceView } from './trace/trace-view.ts'
import { readView, TAIL_SIGNALS, type View, writeView } from './view.ts'

/*
 * The page. The address says what is looked at, and everything follows it: what a person chooses is written there, and what is read there is shown. The tail
 * begins when it is first seen, so that a link to a trace takes no connection for it.
 */

let view = readView(location.hash)
/** The filter that the tail watches, as it is in the address. */
let watched: string | undefined
/** The record that a trace is opened for. */
let origin: TailRecord | undefined

const filters = new FilterBar(({ signal, words }) =>
  go({ signal, words, trace: undefined, span: undefined }, 'replace'),
)
const tail = new TailView(openRecord)
const trace = new TraceView({
  onClose: closeTrace,
  onSelect: (span) => {
    if (view.trace !== undefined) go({ ...view, span }, 'replace')
  },
})
const help = helpDialog()
const live = element('main', { class: 'live', 'aria-label': 'Live telemetry' }, filters.element, tail.element)
const header = element(
  'header',
  {},
  element('h1', { class: 'brand' }, 'LLM Observatory'),
  new HealthStrip().element,
  button('?', () => help.showModal(), { class: 'quiet', 'aria-label': 'Keys', title: 'Keys' }),
)
document.body.replaceChildren(header, live, trace.element, help)

filters.show(view)
follow()
addEventListener('hashchange', () => {
  const next = readView(location.hash)
  if (writeView(next) === writeView(view)) return
  view = next
  filters.show(view)
  follow()
})
listenToKeys({
  search: () => {
    if (!trace.isOpen) filters.focusSearch()
  },
  togglePause: () => {
    if (!trace.isOpen) tail.togglePause()
  },
  move: (by) => (trace.isOpen ? trace.move(by) : tail.move(by)),
  open: () => {
    if (!trace.isOpen && tail.selected !== undefined) openRecord(tail.selected)
  },
  close: () => {
    if (trace.isOpen) closeTrace()
  },
  newest: () => tail.follow(),
  nextError: () => trace.nextError(),
  showSignal: (index) => {
    const signal = TAIL_SIGNALS[index]
    if (!trace.isOpen && signal !== undefined) filters.choose(signal)
  },
  help: () => help.showModal(),
})

function openRecord(record: TailRecord): void {
  origin = record
  const { traceId, spanId } = traceOf(record)
  if (traceId !== undefined) go({ ...view, trace: traceId, span: spanId }, 'push')
  else {
    live.hidden = true
    trace.open({ record: { signal: view.signal, record } })
  }
}

function closeTrace(): void {
  go({ ...view, trace: undefined, span: undefined }, 'push')
}

/** Writes the address, and shows what it says. */
function go(next: View, how: 'push' | 'replace'): void {
  view = next
  const address = writeView(next)
  if (address !== location.hash) {
    if (how === 'push') history.pushState(null, '', address)
    else history.replaceState(null, '', address)
  }
  follow()
}

function follow(): void {
  document.title = titleOf(view)
  const { trace: traceId, span: spanId } = view
  if (traceId !== undefined) {
    live.hidden = true
    if (trace.traceId !== traceId) {
      const record = origin && { signal: view.signal, record: origin }
      trace.open({ traceId, ...(spanId && { spanId }), ...(record && { record }) })
    }
    origin = undefined
    return
  }
  const wasOpen = trace.isOpen
  origin = undefined
  trace.close()
  live.hidden = false
  const filter = writeView(view)
  if (filter !== watched) tail.watch(view)
  watched = filter
  if (wasOpen) tail.shown()
}

/** What tells tabs of a browser apart. */
function titleOf({ signal, words, trace: traceId }: View): string {
  const what =
    traceId === undefined ? [signal, ...words.map(([, value]) => value)] : ['trace', traceId.slice(0, 8)]
  return visibleLine(`${what.join(' ')} · LLM Observatory`)
}
