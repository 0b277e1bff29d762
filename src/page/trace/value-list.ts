import { element, textBlock } from '../dom/element.ts'
import { type JsonValue, jsonText } from '../parse-json.ts'
import type { Origin } from '../records.ts'

/** Longer texts are folded. */
const FOLD = 1200

/** Names and their values. Undefined where there is none. */
export function valueList(
  values: Readonly<Record<string, JsonValue | undefined>> | undefined,
): HTMLElement | undefined {
  const given = Object.entries(values ?? {}).filter(([, value]) => value !== undefined)
  if (given.length === 0) return undefined
  const rows = given.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, longText(value))])
  return element('dl', { class: 'values' }, ...rows)
}

/** A value as text, of which at first only the beginning is shown where it is long. */
export function longText(value: JsonValue | undefined): HTMLElement {
  const text = typeof value === 'string' ? value : jsonText(value, 2)
  if (text.length <= FOLD) return textBlock(text)
  const folded = element('div', { class: 'folded' }, textBlock(`${text.slice(0, FOLD)}…`))
  const unfold = element(
    'button',
    { type: 'button', class: 'quiet' },
    `Show all ${text.length.toLocaleString('en-US')} characters`,
  )
  unfold.addEventListener('click', () => folded.replaceChildren(textBlock(text)))
  folded.append(unfold)
  return folded
}

/** Where a record comes from: mostly known, so that it is folded. */
export function originSection({ resource, scope }: Origin): HTMLElement | undefined {
  const [ofResource, ofScope] = [
    valueList(resource?.attributes),
    valueList({ scope: scope?.name, version: scope?.version }),
  ]
  if (ofResource === undefined && ofScope === undefined) return undefined
  return element(
    'details',
    { class: 'origin' },
    element('summary', {}, 'Resource and scope'),
    ofResource,
    ofScope,
  )
}

/** A part of the details under a heading; undefined where there is nothing to show. */
export function section(
  title: string,
  ...children: readonly (HTMLElement | undefined)[]
): HTMLElement | undefined {
  const shown = children.filter((child) => child !== undefined)
  if (shown.length === 0) return undefined
  return element('section', {}, element('h3', {}, title), ...shown)
}
