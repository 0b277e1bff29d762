import { formatNanos } from '../../models/shown/format-value.ts'
import { button, element } from '../dom/element.ts'
import type { TimedTrace, TimedTraceSpan } from './timed-trace.ts'

/** So many are named, and none that took less than this share; the others are one. */
const MOST = 5
const LEAST = 0.01

interface Share {
  readonly name: string
  readonly service: string
  readonly hue: string
  readonly ns: number
  readonly count: number
  /** Its span that took the longest by itself. */
  readonly longest: TimedTraceSpan
}

/** Where the time of a trace went: a bar of what spans of each name took by themselves, and the names under it. */
export function timeShares(trace: TimedTrace, onSelect: (spanId: string) => void): HTMLElement {
  const shares = sharesOf(trace)
  const total = shares.reduce((sum, { ns }) => sum + ns, 0) || 1
  const shown = shares.filter(({ ns }, index) => index < MOST && ns / total >= LEAST)
  const rest = shares.slice(shown.length).reduce((sum, { ns }) => sum + ns, 0)
  const bar = element('div', { class: 'shares-bar', 'aria-hidden': 'true' })
  const list = element('ul', { class: 'shares-list' })
  for (const { name, service, hue, ns, count, longest } of shown) {
    bar.append(segment(ns / total, hue))
    const label = `${percent(ns / total)} ${name}${count > 1 ? ` ×${count}` : ''}`
    const choose = () => onSelect(longest.span.spanId)
    const title = `${service}: ${formatNanos(ns)} in ${count} spans, their children not counted`
    const chosen = button(label, choose, { class: `share ${hue}`, title })
    chosen.append(element('span', { class: 'aside' }, formatNanos(ns)))
    list.append(element('li', {}, chosen))
  }
  if (rest > 0) {
    bar.append(segment(rest / total, 'hue-none'))
    list.append(element('li', { class: 'aside' }, `${percent(rest / total)} others`))
  }
  return element('section', { class: 'shares', 'aria-label': 'Where the time went' }, bar, list)
}

function sharesOf({ spans }: TimedTrace): readonly Share[] {
  const shares = new Map<string, Share>()
  for (const each of spans) {
    const { span, service, hue, selfNs } = each
    const key = JSON.stringify([service, span.name])
    const { ns, count, longest } = shares.get(key) ?? { ns: 0, count: 0, longest: each }
    shares.set(key, {
      name: span.name,
      service,
      hue,
      ns: ns + selfNs,
      count: count + 1,
      longest: longest.selfNs >= selfNs ? longest : each,
    })
  }
  return [...shares.values()].sort((a, b) => b.ns - a.ns)
}

function segment(share: number, hue: string): HTMLElement {
  const made = element('span', { class: hue })
  made.style.flexGrow = String(share)
  return made
}

function percent(share: number): string {
  return share < 0.01 ? '<1 %' : `${Math.round(share * 100)} %`
}
