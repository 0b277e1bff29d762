import { formatNanos } from '../../models/shown/format-value.ts'
import { element } from '../dom/element.ts'
import type { TimedTrace, TimedTraceSpan } from './timed-trace.ts'

/** Marks on the axis of time. */
const TICKS = 4
/** Deeper than this spans are not indented further: the room is needed for their names. */
const DEEPEST = 14

/** The spans of a trace as a tree, each with a bar that says when it was. One of them is selected. */
export class Waterfall {
  readonly element = element('div', {
    role: 'treegrid',
    class: 'waterfall',
    tabindex: 0,
    'aria-label': 'Spans',
  })
  readonly #rows: readonly HTMLElement[]
  readonly #spans: readonly TimedTraceSpan[]
  readonly #onSelect: (span: TimedTraceSpan) => void
  #selected = -1

  constructor(trace: TimedTrace, onSelect: (span: TimedTraceSpan) => void) {
    this.#spans = trace.spans
    this.#onSelect = onSelect
    this.#rows = trace.spans.map((each, index) => spanRow(each, trace.durationNs, index))
    this.element.append(axis(trace.durationNs), ...this.#rows)
    this.element.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest<HTMLElement>('.span') : null
      if (row !== null) this.#select(this.#rows.indexOf(row))
    })
  }

  /** Selects the first span with this id, else the first one. */
  selectById(spanId: string | undefined): void {
    this.#select(
      Math.max(
        0,
        this.#spans.findIndex(({ span }) => span.spanId === spanId),
      ),
    )
  }

  move(by: 1 | -1): void {
    this.#select(Math.max(0, Math.min(this.#rows.length - 1, this.#selected + by)))
  }

  /** Selects the next span that failed; after the last one the first. */
  nextError(): void {
    const from = this.#selected + 1
    const order = [...this.#spans.keys()].map((index) => (from + index) % this.#spans.length)
    this.#select(order.find((index) => this.#spans[index]?.isError) ?? this.#selected)
  }

  #select(index: number): void {
    const [row, span] = [this.#rows[index], this.#spans[index]]
    if (row === undefined || span === undefined) return
    this.#rows[this.#selected]?.removeAttribute('aria-selected')
    this.#selected = index
    row.setAttribute('aria-selected', 'true')
    this.element.setAttribute('aria-activedescendant', row.id)
    row.scrollIntoView({ block: 'nearest' })
    this.#onSelect(span)
  }
}

function axis(durationNs: number): HTMLElement {
  const marks = Array.from({ length: TICKS }, (_, at) => {
    const mark = element('span', {}, formatNanos((durationNs * at) / TICKS))
    mark.style.left = `${(100 * at) / TICKS}%`
    return mark
  })
  return element(
    'div',
    { role: 'row', class: 'axis' },
    element('span', { role: 'columnheader' }, 'Span'),
    element('span', { role: 'columnheader', class: 'number' }, 'Duration'),
    element('span', { role: 'columnheader', class: 'track' }, ...marks),
  )
}

function spanRow(
  { span, service, hue, isError, startNs, durationNs }: TimedTraceSpan,
  total: number,
  index: number,
): HTMLElement {
  const { depth, name, genAi, endTimeUnixNano } = span
  const title = element(
    'span',
    { role: 'gridcell', class: 'name', title: `${name} (${service})` },
    isError ? element('span', { class: 'cross', role: 'img', 'aria-label': 'error' }, '✗') : undefined,
    element('span', { class: 'title' }, name),
    element('span', { class: 'aside' }, service),
  )
  title.style.setProperty('--depth', String(Math.min(depth, DEEPEST)))
  const bar = element('span', { class: 'bar' })
  bar.style.left = `${(startNs / total) * 100}%`
  bar.style.width = `${(durationNs / total) * 100}%`
  const track = element('span', { role: 'gridcell', class: 'track' }, bar)
  const first = genAi?.timeToFirstTokenNs
  if (first !== undefined && durationNs > 0) {
    const mark = element('span', { class: 'first-token', title: `First token after ${formatNanos(first)}` })
    mark.style.left = `${Math.min(100, ((startNs + first) / total) * 100)}%`
    track.append(mark)
  }
  const length = endTimeUnixNano === undefined ? 'no end' : formatNanos(durationNs)
  return element(
    'div',
    {
      role: 'row',
      class: `span ${hue}${isError ? ' error' : ''}${genAi?.model === undefined ? '' : ' gen-ai'}`,
      id: `span-${index}`,
      'aria-level': depth + 1,
    },
    title,
    element('span', { role: 'gridcell', class: 'number' }, length),
    track,
  )
}
