import { formatCost, formatNanos } from '../../models/shown/format-value.ts'
import { button, element } from '../dom/element.ts'
import { formatCount, formatDateTime } from '../format.ts'
import type { LogRecord, TailRecord, Trace } from '../records.ts'
import type { TailSignal } from '../view.ts'
import { fetchTrace, fetchTraceLogs } from './fetch-trace.ts'
import { figures } from './figures.ts'
import { recordDetails } from './record-details.ts'
import { spanDetails } from './span-details.ts'
import { timeShares } from './time-shares.ts'
import { type TimedTrace, type TimedTraceSpan, timedTrace } from './timed-trace.ts'
import { Waterfall } from './waterfall.ts'

/** A trace that is not stored yet is asked for again after so long, as often as {@link MAX_TRIES} says. */
const RETRY_MS = 1500
const MAX_TRIES = 20

/** What is opened: a trace, the record that led to it, or a record that belongs to no trace. */
export interface Opened {
  readonly traceId?: string
  readonly spanId?: string
  readonly record?: { readonly signal: TailSignal; readonly record: TailRecord }
}

export interface TraceViewOptions {
  readonly onClose: () => void
  /** Another span was selected. */
  readonly onSelect: (spanId: string) => void
}

/** One trace: what it took, where its time went, its spans, and all about the selected one. */
export class TraceView {
  readonly element = element('main', { class: 'trace-view', hidden: true, 'aria-label': 'Trace' })
  readonly #options: TraceViewOptions
  #opened: Opened = {}
  #waterfall: Waterfall | undefined
  #abort = new AbortController()

  constructor(options: TraceViewOptions) {
    this.#options = options
  }

  get traceId(): string | undefined {
    return this.element.hidden ? undefined : this.#opened.traceId
  }

  get isOpen(): boolean {
    return !this.element.hidden
  }

  open(opened: Opened): void {
    this.close()
    this.#opened = opened
    this.element.hidden = false
    const { traceId } = opened
    if (traceId === undefined)
      this.#show(element('h1', {}, 'Belongs to no trace'), this.#body([], this.#recordPanel()))
    else void this.#load(traceId, this.#abort.signal).catch(() => undefined)
  }

  close(): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#waterfall = undefined
    this.element.hidden = true
    this.element.replaceChildren()
  }

  selectSpan(spanId: string | undefined): void {
    this.#waterfall?.selectById(spanId)
  }

  move(by: 1 | -1): void {
    this.#waterfall?.move(by)
  }

  nextError(): void {
    this.#waterfall?.nextError()
  }

  /** Ends by being aborted when another one is opened. */
  async #load(traceId: string, signal: AbortSignal): Promise<void> {
    this.#say('Looking for the trace…')
    for (let tries = 1; ; tries += 1) {
      const answer = await fetchTrace(traceId, signal)
      if (signal.aborted) return
      if (answer.kind === 'found') return this.#showTrace(answer.trace, await fetchTraceLogs(traceId, signal))
      if (answer.kind === 'failed') return this.#say(`The trace cannot be read. ${answer.detail}`, true)
      if (tries === MAX_TRIES) return this.#say(`No span of trace ${traceId} is stored.`, true)
      this.#say('No span of this trace is stored yet: one is when it has ended. Looking again…')
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      if (signal.aborted) return
    }
  }

  #say(text: string, canRetry = false): void {
    const message = element('p', { class: 'message-line', role: 'status' }, text)
    if (canRetry)
      message.append(
        ' ',
        button('Try again', () => this.open(this.#opened)),
      )
    this.#show(element('h1', {}, 'Trace'), this.#body([message], this.#recordPanel()))
  }

  #showTrace(trace: Trace, logs: readonly LogRecord[]): void {
    const timed = timedTrace(trace)
    const details = element('div', { class: 'span-details' })
    const waterfall = new Waterfall(timed, (selected) => this.#showSpan(details, selected, logs))
    this.#waterfall = waterfall
    const { record } = this.#opened
    const origin = record?.signal === 'logs' ? this.#recordPanel() : undefined
    this.#show(
      element('h1', {}, trace.name ?? 'Trace'),
      traceFigures(timed),
      timeShares(timed, (spanId) => waterfall.selectById(spanId)),
      ...cuts(trace),
      this.#body([waterfall.element], element('div', {}, ...(origin ? [origin] : []), details)),
    )
    waterfall.selectById(this.#opened.spanId)
    waterfall.element.focus()
  }

  #showSpan(details: HTMLElement, selected: TimedTraceSpan, logs: readonly LogRecord[]): void {
    details.replaceChildren(...spanDetails(selected, logs))
    details.closest('.details')?.scrollTo(0, 0)
    this.#opened = { ...this.#opened, spanId: selected.span.spanId }
    this.#options.onSelect(selected.span.spanId)
  }

  #recordPanel(): HTMLElement | undefined {
    const { record } = this.#opened
    return (
      record && element('div', { class: 'record-details' }, ...recordDetails(record.signal, record.record))
    )
  }

  #body(left: readonly HTMLElement[], details: HTMLElement | undefined): HTMLElement {
    const aside = element('aside', { class: 'details', tabindex: 0, 'aria-label': 'Details' }, details)
    return element('div', { class: left.length > 0 ? 'trace-body' : 'trace-body alone' }, ...left, aside)
  }

  #show(title: HTMLElement, ...children: readonly HTMLElement[]): void {
    const { traceId } = this.#opened
    const head = element(
      'div',
      { class: 'trace-head' },
      button('← Back', this.#options.onClose, { title: 'Esc' }),
      title,
      ...(traceId === undefined
        ? []
        : [
            element('code', { class: 'trace-id', title: 'Trace id' }, traceId),
            button('Refresh', () => this.open(this.#opened), { title: 'Spans that have ended meanwhile' }),
          ]),
    )
    this.element.replaceChildren(head, ...children)
  }
}

function traceFigures({ trace, durationNs }: TimedTrace): HTMLElement {
  const { services = [], spanCount, errorCount, inputTokens, outputTokens, cost, startTimeUnixNano } = trace
  const made = figures([
    ['Duration', formatNanos(durationNs)],
    ['Spans', formatCount(spanCount)],
    ['Errors', formatCount(errorCount)],
    ['Services', formatCount(services.length)],
    ['Tokens in', inputTokens === undefined ? undefined : formatCount(inputTokens)],
    ['Tokens out', outputTokens === undefined ? undefined : formatCount(outputTokens)],
    ['Cost', cost === undefined ? undefined : formatCost(cost)],
    ['Start', formatDateTime(startTimeUnixNano)],
  ])
  made.classList.add('totals')
  made.classList.toggle('has-errors', errorCount > 0)
  return made
}

function cuts({ spansAreCut, messagesAreCut }: Trace): readonly HTMLElement[] {
  const texts = [
    spansAreCut && 'Only the first 10,000 spans are shown; the API has all: /api/v1/spans?traceId=…',
    messagesAreCut && 'There are more messages than are shown.',
  ]
  return texts.flatMap((text) => (text ? [element('p', { class: 'message-line' }, text)] : []))
}
