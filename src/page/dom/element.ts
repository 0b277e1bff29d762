import { visibleLine, visiblePieces } from '../../models/shown/visible-text.ts'

/** What stands in an element: others, and texts, which are shown and never anything else. */
export type Child = Node | string | undefined

type Properties = Readonly<Record<string, string | number | boolean | undefined>>

/**
 * Makes an element. Whatever is text, also in attributes, is made visible: control characters and what turns the direction of reading are written out. This
 * and {@link textBlock} are the only ways in which telemetry comes onto the page.
 *
 * @param attributes of these `true` is there without a value, `false` and undefined are not there. Names come from the program, never from telemetry.
 */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false)
      made.setAttribute(name, value === true ? '' : visibleLine(String(value)))
  }
  for (const child of children) {
    if (typeof child === 'string') appendText(made, child)
    else if (child !== undefined) made.append(child)
  }
  return made
}

/** Text of several lines, as it was laid out. */
export function textBlock(text: string, attributes: Properties = {}): HTMLElement {
  const block = element('pre', { tabindex: -1, ...attributes })
  appendText(block, text, '\n\t')
  return block
}

/** A button that says what it does. */
export function button(label: string, onClick: () => void, attributes: Properties = {}): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, label)
  made.addEventListener('click', onClick)
  return made
}

function appendText(to: HTMLElement, text: string, keep = ''): void {
  for (const piece of visiblePieces(text, keep)) {
    if (!piece.isEscaped) to.append(piece.text)
    else {
      const escaped = document.createElement('span')
      escaped.className = 'escaped'
      escaped.title = 'A character that cannot be seen, written out'
      escaped.textContent = piece.text
      to.append(escaped)
    }
  }
}
