import type { TailEvent } from '../../tail/tail-event.ts'

/** How long a client that has lost its connection waits, in milliseconds, before it comes again. */
const RETRY_MS = 1000

/** What a stream of events begins with. */
export const FIRST_FRAME = Buffer.from(`retry: ${RETRY_MS}\n\n`)

/**
 * Events as Server-Sent Events (WHATWG HTML, 9.2): a record bears its id, of others `event` says what they are. JSON has no line feed.
 *
 * Those who ask the same are woken one after the other, and mostly given the same list: what was made of it for one of them is given to the next ones, too. A few hundred buffers a second of tens
 * of kilobytes each are a large part of what V8 collects.
 */
export class EventFrames {
  #events: readonly TailEvent[] = []
  #bytes: Buffer = Buffer.alloc(0)

  of(events: readonly TailEvent[]): Buffer {
    if (events !== this.#events) {
      this.#events = events
      this.#bytes = Buffer.concat(events.flatMap(frameOf))
    }
    return this.#bytes
  }
}

const FRAME_END = Buffer.from('\n\n')

function frameOf(event: TailEvent): readonly Buffer[] {
  if (event.kind === 'record') return [Buffer.from(`id: ${event.id}\ndata: `), event.json, FRAME_END]
  const { kind, ...data } = event
  return [Buffer.from(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`)]
}
