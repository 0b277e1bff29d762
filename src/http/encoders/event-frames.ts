import type { TailEvent } from '../../tail/tail-event.ts'

/** How long a client that has lost its connection waits, in milliseconds, before it comes again. */
const RETRY_MS = 1000

/** What a stream of events begins with. */
export const FIRST_FRAME = Buffer.from(`retry: ${RETRY_MS}\n\n`)

/**
 * Events as Server-Sent Events (WHATWG HTML, 9.2): a record bears its id, of others `event` says what they are. JSON has no line feed.
 *
 * Those who ask the same are woken one after the other, and mostly have the same events waiting: what was made for one of them is given to the next ones, too. A few hundred buffers a second of tens
 * of kilobytes each are a large part of what V8 collects.
 */
export class EventFrames {
  #events: readonly TailEvent[] = []
  #bytes = Buffer.alloc(0)

  of(events: readonly TailEvent[]): Buffer {
    const [first] = events
    if (events.length === 1 && first !== undefined) return frameOf(first)
    if (!this.#areThoseBefore(events)) {
      this.#events = events
      this.#bytes = Buffer.concat(events.map(frameOf))
    }
    return this.#bytes
  }

  #areThoseBefore(events: readonly TailEvent[]): boolean {
    return (
      events.length === this.#events.length && events.every((event, place) => event === this.#events[place])
    )
  }
}

function frameOf(event: TailEvent): Buffer {
  if (event.kind !== 'record') {
    const { kind, ...data } = event
    return Buffer.from(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`)
  }
  event.frame ??= Buffer.from(`id: ${event.id}\ndata: ${event.json}\n\n`)
  return event.frame
}
