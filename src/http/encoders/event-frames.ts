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
  #bytes: Buffer = Buffer.alloc(0)

  of(events: readonly TailEvent[]): Buffer {
    if (!this.#areThoseBefore(events)) {
      this.#events = events
      this.#bytes = framesOf(events)
    }
    return this.#bytes
  }

  #areThoseBefore(events: readonly TailEvent[]): boolean {
    const before = this.#events
    if (events === before) return true
    return events.length === before.length && events.every((event, place) => event === before[place])
  }
}

const LINE_ENDS = '\n\n'

function framesOf(events: readonly TailEvent[]): Buffer {
  const heads = events.map(headOf)
  let length = 0
  for (const [place, event] of events.entries()) length += bytesOf(event, heads[place] as string)
  const frames = Buffer.allocUnsafe(length)
  let at = 0
  for (const [place, event] of events.entries()) {
    at += frames.write(heads[place] as string, at)
    if (event.kind === 'record') at += event.json.copy(frames, at)
    at += frames.write(LINE_ENDS, at, 'latin1')
  }
  return frames
}

/** All but the record. */
function headOf(event: TailEvent): string {
  if (event.kind === 'record') return `id: ${event.id}\ndata: `
  const { kind, ...data } = event
  return `event: ${kind}\ndata: ${JSON.stringify(data)}`
}

function bytesOf(event: TailEvent, head: string): number {
  return Buffer.byteLength(head) + (event.kind === 'record' ? event.json.length : 0) + LINE_ENDS.length
}
