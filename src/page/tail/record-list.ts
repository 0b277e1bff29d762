import { element } from '../dom/element.ts'
import type { TailRecord } from '../records.ts'
import type { TailSignal } from '../view.ts'
import { HEADINGS, recordCells } from './record-cells.ts'

/** Rows that are kept on the page, the newest. */
export const MAX_ROWS = 2000
/** And so much JSON at most: records may be large. */
export const MAX_CHARACTERS = 32 * 1024 * 1024
/** Nearer to the end than this is at the end. */
const END_PX = 24

/** A record, and how long it is as JSON. */
export interface ListedRecord {
  readonly record: TailRecord
  readonly size: number
}

export interface RecordListOptions {
  /** A row was clicked. */
  readonly onOpen: (record: TailRecord) => void
  /** The reader left the end of the list, or came back to it. */
  readonly onFollow: (isFollowing: boolean) => void
}

/** The list of records: grows at its end, and stays there until the reader scrolls away. */
export class RecordList {
  readonly element: HTMLElement
  readonly #rows = element('div', { role: 'rowgroup', class: 'rows' })
  readonly #records = new WeakMap<Element, ListedRecord>()
  readonly #head = element('div', { role: 'rowgroup' })
  #signal: TailSignal = 'logs'
  #selected: HTMLElement | undefined
  #isFollowing = true
  #count = 0
  #size = 0

  readonly #onFollow: (isFollowing: boolean) => void

  constructor({ onOpen, onFollow }: RecordListOptions) {
    this.#onFollow = onFollow
    this.element = element('div', { role: 'grid', class: 'records', tabindex: 0, 'aria-label': 'Records' })
    this.element.append(this.#head, this.#rows)
    this.element.addEventListener('scroll', () => {
      const { scrollTop, scrollHeight, clientHeight } = this.element
      // Not on the page at the moment: nobody scrolled.
      if (clientHeight === 0) return
      const isAtEnd = scrollHeight - scrollTop - clientHeight < END_PX
      if (isAtEnd !== this.#isFollowing) this.#setFollowing(isAtEnd)
    })
    this.#rows.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest<HTMLElement>('.record') : null
      const record = row === null ? undefined : this.#records.get(row)?.record
      // Whoever marks text to copy it does not want to leave.
      if (row === null || record === undefined || getSelection()?.isCollapsed === false) return
      this.#select(row)
      onOpen(record)
    })
  }

  /** The record of the selected row. */
  get selected(): TailRecord | undefined {
    return this.#selected && this.#records.get(this.#selected)?.record
  }

  /** Forgets all rows; the next ones are of this signal. */
  reset(signal: TailSignal): void {
    this.#signal = signal
    this.clear()
    this.element.dataset.signal = signal
    const headings = HEADINGS[signal].map((text) => element('span', { role: 'columnheader' }, text))
    this.#head.replaceChildren(element('div', { role: 'row', class: 'head' }, ...headings))
    this.follow()
  }

  clear(): void {
    this.#select(undefined)
    this.#rows.replaceChildren()
    this.#size = 0
  }

  /** Adds rows at the end; the oldest go where there are too many. */
  append(items: readonly (ListedRecord | string)[]): void {
    this.#rows.append(
      ...items.map((item) => (typeof item === 'string' ? noteRow(item) : this.#recordRow(item))),
    )
    this.#trim()
    if (this.#isFollowing) this.element.scrollTop = this.element.scrollHeight
  }

  /** Goes to the end and stays there. */
  follow(): void {
    this.#setFollowing(true)
    this.element.scrollTop = this.element.scrollHeight
  }

  /** To be called when the list is on the page again: what came meanwhile did not move it. */
  shown(): void {
    if (this.#isFollowing) this.element.scrollTop = this.element.scrollHeight
    else this.#selected?.scrollIntoView({ block: 'nearest' })
  }

  /** Selects the next or the previous record; the last one where none is selected. */
  move(by: 1 | -1): void {
    const next = (row: Element | null | undefined) =>
      by === 1 ? row?.nextElementSibling : row?.previousElementSibling
    let row: Element | null | undefined =
      this.#selected === undefined ? this.#rows.lastElementChild : next(this.#selected)
    while (row && !this.#records.has(row))
      row = this.#selected === undefined ? row.previousElementSibling : next(row)
    if (!(row instanceof HTMLElement)) return
    this.#select(row)
    row.scrollIntoView({ block: 'nearest' })
  }

  #setFollowing(isFollowing: boolean): void {
    this.#isFollowing = isFollowing
    this.#onFollow(isFollowing)
  }

  #trim(): void {
    for (;;) {
      const { firstElementChild: first, childElementCount: count } = this.#rows
      if (first === null || (count <= MAX_ROWS && (this.#size <= MAX_CHARACTERS || count === 1))) return
      if (first === this.#selected) this.#select(undefined)
      this.#size -= this.#records.get(first)?.size ?? 0
      first.remove()
    }
  }

  #recordRow(listed: ListedRecord): HTMLElement {
    const { record, size } = listed
    const { cells, tone } = recordCells(this.#signal, record)
    this.#count += 1
    this.#size += size
    const row = element(
      'div',
      { role: 'row', class: `record ${tone}`, id: `record-${this.#count}` },
      ...cells,
    )
    this.#records.set(row, listed)
    return row
  }

  #select(row: HTMLElement | undefined): void {
    this.#selected?.removeAttribute('aria-selected')
    this.#selected = row
    row?.setAttribute('aria-selected', 'true')
    if (row === undefined) this.element.removeAttribute('aria-activedescendant')
    else this.element.setAttribute('aria-activedescendant', row.id)
  }
}

/** What is to be said between records. */
function noteRow(text: string): HTMLElement {
  return element('div', { role: 'row', class: 'note' }, element('span', { role: 'gridcell' }, text))
}
