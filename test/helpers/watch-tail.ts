import { setTimeout as sleep } from 'node:timers/promises'

/** An event of a tail, as its client sees it. */
export interface SeenEvent {
  readonly event: string
  readonly id: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test looks for in it
  readonly data: any
}

/** A client of a tail: it keeps all it has seen. */
export interface TailClient {
  readonly events: readonly SeenEvent[]
  /** Data of the records. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test looks for in it
  records(): any[]
  readonly lastId: string | undefined
  /** Waits until it has seen what `isThere` looks for. */
  until(isThere: (client: TailClient) => boolean, timeoutMs?: number): Promise<void>
  /** Settled when the answer has ended; whether it did so by itself. */
  readonly ended: Promise<boolean>
  close(): Promise<void>
}

/** Opens a tail, and reads it until it is closed. @throws what the answer was if it is no tail. */
export async function watchTail(
  url: string | URL,
  { lastEventId }: { readonly lastEventId?: string | undefined } = {},
): Promise<TailClient> {
  const closing = new AbortController()
  const answer = await fetch(url, {
    signal: closing.signal,
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  })
  if (answer.status !== 200 || answer.body === null)
    throw new Error(`${answer.status} ${await answer.text()}`)
  const events: SeenEvent[] = []
  const read = async () => {
    let text = ''
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const frames = (text + chunk).split('\n\n')
      text = frames.pop() ?? ''
      for (const frame of frames) {
        const lines = new Map(
          frame
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
        )
        const data = lines.get('data')
        if (data !== undefined)
          events.push({ event: lines.get('event') ?? 'record', id: lines.get('id'), data: JSON.parse(data) })
      }
    }
  }
  const ended = read().then(
    () => true,
    () => false,
  )
  const client: TailClient = {
    events,
    records: () => events.filter(({ event }) => event === 'record').map(({ data }) => data),
    get lastId() {
      return events.findLast(({ id }) => id !== undefined)?.id
    },
    async until(isThere, timeoutMs = 15_000) {
      for (const startedMs = Date.now(); !isThere(client); await sleep(5)) {
        if (Date.now() - startedMs > timeoutMs)
          throw new Error(
            `not seen in ${timeoutMs} ms; of ${events.length} events the last are ${JSON.stringify(events.slice(-3))}`,
          )
      }
    },
    ended,
    async close() {
      closing.abort()
      await ended
    },
  }
  return client
}

/** Whether it is live: all that was is there. */
export function isLive({ events }: TailClient): boolean {
  return events.some(({ event }) => event === 'heartbeat')
}
