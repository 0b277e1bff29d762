import type { TailState } from './tail-state.ts'

/** What a tail tells, in the order in which it comes. */
export interface TailListener {
  /** One record, as JSON text. */
  readonly record: (text: string) => void
  /** So many were left out here, because we read too slowly. */
  readonly dropped: (count: number) => void
  /** The service did not look at some entries. */
  readonly gap: (gap: TailGap) => void
  readonly state: (state: TailState) => void
}

export interface TailGap {
  readonly entries: number | null
  readonly reason: string
}

/** The service sends a heartbeat every 15 s: without anything for so long the connection is dead, whatever the browser thinks. */
const SILENCE_MS = 45_000
const RETRY_MS = 3000

/**
 * A live tail. The browser connects again by itself where it can; where it gives up (a status other than 200), this finds out why, and tries again unless the
 * request itself is wrong. Nothing is lost or shown twice by that: the tail goes on after the last record seen.
 */
export class TailConnection {
  readonly #url: string
  readonly #listener: TailListener
  #source: EventSource | undefined
  #lastId = ''
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  /** @param url with the filter and how much of the past comes first. */
  constructor(url: string, listener: TailListener) {
    this.#url = url
    this.#listener = listener
    this.#connect()
  }

  /** Ends it; the listener hears nothing any more. */
  close(): void {
    this.#isClosed = true
    this.#disconnect()
  }

  /** Lets go of the connection, of which a browser has six for all its tabs. */
  suspend(): void {
    if (this.#source === undefined || this.#isClosed) return
    this.#disconnect()
    this.#tell({ kind: 'suspended' })
  }

  /** Goes on after {@link suspend}. */
  resume(): void {
    if (this.#source === undefined && this.#timer === undefined && !this.#isClosed) this.#connect()
  }

  #connect(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const url =
      this.#lastId === '' ? this.#url : `${this.#url}&lastEventId=${encodeURIComponent(this.#lastId)}`
    const source = new EventSource(url)
    this.#source = source
    this.#tell({ kind: this.#lastId === '' ? 'connecting' : 'reconnecting' })
    const on = (name: string, act: (data: string) => void) =>
      source.addEventListener(name, (event) => {
        if (this.#source !== source) return
        this.#watch()
        act(event instanceof MessageEvent ? String(event.data) : '')
        if (event instanceof MessageEvent && event.lastEventId !== '') this.#lastId = event.lastEventId
      })
    on('message', (data) => this.#listener.record(data))
    on('heartbeat', () => this.#tell({ kind: 'live' }))
    on('dropped', (data) => this.#listener.dropped((JSON.parse(data) as { count: number }).count))
    on('gap', (data) => this.#listener.gap(JSON.parse(data) as TailGap))
    on('bye', (data) => this.#saidBye((JSON.parse(data) as { reason: string }).reason))
    source.addEventListener('error', () => {
      if (this.#source !== source) return
      if (source.readyState === EventSource.CLOSED) void this.#findOutWhy(url)
      else this.#tell({ kind: 'reconnecting' })
    })
  }

  #saidBye(reason: string): void {
    if (reason !== 'limit') {
      this.#tell({ kind: 'reconnecting' })
      return
    }
    this.#disconnect()
    this.#isClosed = true
    this.#listener.state({ kind: 'ended', detail: 'All that was asked for is here' })
  }

  /** An EventSource does not tell the status: the same request does. */
  async #findOutWhy(url: string): Promise<void> {
    this.#disconnect()
    // So that `resume` does not come between.
    this.#timer = setTimeout(() => undefined)
    const abort = new AbortController()
    let detail = 'the service does not answer'
    try {
      const answer = await fetch(url, { signal: abort.signal, headers: { accept: 'text/event-stream' } })
      if (answer.status >= 400) {
        const problem = (await answer.json()) as { readonly detail?: string }
        detail = problem.detail ?? `the service answered ${answer.status}`
        if (answer.status < 500) return this.#tell({ kind: 'refused', detail })
      } else detail = 'the connection ended'
    } catch {
      // Not reachable, or no JSON: what is tried next will tell.
    } finally {
      abort.abort()
    }
    if (this.#isClosed) return
    this.#tell({ kind: 'reconnecting', detail })
    this.#timer = setTimeout(() => this.#connect(), RETRY_MS)
  }

  /** From the first event on: before it the past is looked up, which may take its time. */
  #watch(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#disconnect()
      this.#connect()
    }, SILENCE_MS)
  }

  #disconnect(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#source?.close()
    this.#source = undefined
  }

  #tell(state: TailState): void {
    if (!this.#isClosed) this.#listener.state(state)
  }
}
