import { button, element } from '../dom/element.ts'
import { formatCount } from '../format.ts'
import { parseJson } from '../parse-json.ts'
import type { TailRecord } from '../records.ts'
import type { View } from '../view.ts'
import { BoundedQueue, type TailItem } from './bounded-queue.ts'
import { type ListedRecord, MAX_CHARACTERS, MAX_ROWS, RecordList } from './record-list.ts'
import { TailConnection, type TailGap } from './tail-connection.ts'
import { describeState, type TailState } from './tail-state.ts'

/** So many records of the past come first. */
const HISTORY = 200
/** What came within this time is put on the page at once. */
const FLUSH_MS = 80
/** A page that nobody looks at lets go of its connection after this long, and catches up when it is looked at again. */
const REST_AFTER_MS = 5 * 60_000

/** The live tail: connection, list, and the line that says how it stands. States: running or paused, following the end or not. */
export class TailView {
  readonly element = element('section', { class: 'tail', 'aria-label': 'Live tail' })
  readonly #list: RecordList
  readonly #queue = new BoundedQueue(MAX_ROWS, MAX_CHARACTERS)
  readonly #state = element('span', { class: 'state', role: 'status' })
  readonly #counts = element('span', { class: 'counts' })
  readonly #pause = button('Pause', () => this.togglePause(), { title: 'Space', 'aria-pressed': 'false' })
  readonly #newest = button('↓ Newest', () => this.#list.follow(), { class: 'newest', hidden: true })
  readonly #empty = element('div', { class: 'empty' })
  #connection: TailConnection | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #rest: ReturnType<typeof setTimeout> | undefined
  #isPaused = false
  #received = 0
  /** Of those received, how many came since it is paused. */
  #waiting = 0
  #dropped = 0

  constructor(onOpen: (record: TailRecord) => void) {
    this.#list = new RecordList({
      onOpen,
      onFollow: (isFollowing) => {
        this.#newest.hidden = isFollowing
      },
    })
    const clear = button('Clear', () => this.clear(), { title: 'Forget what is shown' })
    const bar = element('div', { class: 'tail-bar' }, this.#state, this.#counts, this.#pause, clear)
    const body = element('div', { class: 'tail-body' }, this.#list.element, this.#empty, this.#newest)
    this.element.append(bar, body)
    document.addEventListener('visibilitychange', () => this.#onVisibility())
  }

  /** Watches something else, from its newest records on. */
  watch({ signal, words }: View): void {
    this.#connection?.close()
    this.#queue.clear()
    this.#list.reset(signal)
    this.#received = 0
    this.#dropped = 0
    this.#setPaused(false)
    this.#showEmpty(words.length === 0 ? signal : undefined)
    const query = new URLSearchParams([
      ['history', String(HISTORY)],
      ...words.map(([word, value]) => [word, value]),
    ])
    this.#connection = new TailConnection(`api/v1/${signal}/tail?${query}`, {
      record: (text) => {
        this.#received += 1
        if (this.#isPaused) this.#waiting += 1
        this.#add({ text })
      },
      dropped: (count) => {
        this.#dropped += count
        this.#add({ note: `${formatCount(count)} left out here: this browser reads too slowly` })
      },
      gap: (gap) => this.#add({ note: describeGap(gap) }),
      state: (state) => this.#showState(state),
    })
  }

  togglePause(): void {
    this.#setPaused(!this.#isPaused)
  }

  /** Forgets what is shown; what comes is shown still. */
  clear(): void {
    this.#queue.clear()
    this.#list.clear()
    this.#received = 0
    this.#waiting = 0
    this.#dropped = 0
    this.#showCounts()
  }

  move(by: 1 | -1): void {
    this.#list.move(by)
  }

  /** Goes to the newest record and stays there. */
  follow(): void {
    this.#list.follow()
  }

  /** The record of the selected row. */
  get selected(): TailRecord | undefined {
    return this.#list.selected
  }

  /** To be called when it is on the page again. */
  shown(): void {
    this.#list.shown()
    this.#list.element.focus()
  }

  #add(item: TailItem): void {
    this.#queue.push(item)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#flush()
    }, FLUSH_MS)
  }

  #flush(): void {
    if (!this.#isPaused) {
      const { items, left } = this.#queue.takeAll()
      const missed = left === 0 ? [] : [`${formatCount(left)} came before these and are not kept here`]
      this.#list.append([...missed, ...items.map(shownItem)])
      if (items.length > 0) this.#empty.hidden = true
    }
    this.#showCounts()
  }

  #setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused
    this.#waiting = 0
    this.#pause.textContent = isPaused ? 'Resume' : 'Pause'
    this.#pause.setAttribute('aria-pressed', String(isPaused))
    this.#pause.classList.toggle('primary', isPaused)
    this.#flush()
  }

  #showCounts(): void {
    const parts = [
      this.#waiting > 0 && `${formatCount(this.#waiting)} new`,
      `${formatCount(this.#received)} ${this.#received === 1 ? 'record' : 'records'}`,
      this.#dropped > 0 && `${formatCount(this.#dropped)} dropped`,
    ]
    this.#counts.textContent = parts.filter((part) => part !== false).join(' · ')
  }

  #showState(state: TailState): void {
    this.#state.dataset.state = state.kind
    if (state.kind === 'refused') this.#empty.hidden = true
    this.#state.replaceChildren(element('span', {}, describeState(state)))
  }

  /** @param signal of everything, where nothing is filtered: then it is told how to send something. */
  #showEmpty(signal: View['signal'] | undefined): void {
    this.#empty.hidden = false
    this.#empty.replaceChildren(
      element('p', {}, 'Nothing has come that matches. It will be here as soon as it does.'),
    )
    if (signal !== 'logs') return
    const command = "redis-cli XADD telemetry:logs '*' service api level error message boom"
    this.#empty.append(element('p', {}, 'To see a first record, send one:'), element('code', {}, command))
  }

  #onVisibility(): void {
    clearTimeout(this.#rest)
    if (document.visibilityState === 'visible') this.#connection?.resume()
    else this.#rest = setTimeout(() => this.#connection?.suspend(), REST_AFTER_MS)
  }
}

function shownItem(item: TailItem): ListedRecord | string {
  if ('note' in item) return item.note
  return { record: parseJson(item.text) as unknown as TailRecord, size: item.text.length }
}

const REASONS: Readonly<Record<string, string>> = {
  trimmed: 'they are no longer in Redis',
  behind: 'the service could not keep up',
  unavailable: 'Redis was away',
  too_many: 'there were too many at once',
}

function describeGap({ entries, reason }: TailGap): string {
  const many = entries === null ? 'Some entries' : `${formatCount(entries)} entries`
  return `Gap: ${many} were not looked at here, for ${REASONS[reason] ?? reason}`
}
