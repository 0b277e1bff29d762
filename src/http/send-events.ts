import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { TailEvent } from '../tail/tail-event.ts'
import { type EventFrames, FIRST_FRAME } from './encoders/event-frames.ts'

/** Of proxies, which would keep events back (X-Accel-Buffering is nginx's). */
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
}

export interface SendEventsOptions {
  readonly gone: AbortSignal
  readonly frames: EventFrames
  /** Told of events that were given to the connection. */
  readonly onSent: (events: readonly TailEvent[]) => void
}

/**
 * Answers with events as they come, until they end or the client goes away. Whoever reads slowly is waited for.
 *
 * @throws what the first of them does: then nothing is answered yet. An error later cuts the connection off.
 */
export async function sendEvents(
  reply: FastifyReply,
  events: AsyncGenerator<readonly TailEvent[], void>,
  { gone, frames, onSent }: SendEventsOptions,
): Promise<void> {
  let next = await events.next()
  reply.hijack()
  const { raw } = reply
  try {
    // Of thousands of small writes a second the frames of chunks are a large part: the end of the connection is the end of the answer.
    raw.useChunkedEncodingByDefault = false
    raw.shouldKeepAlive = false
    raw.writeHead(200, HEADERS)
    raw.write(FIRST_FRAME)
    while (next.done !== true) {
      await write(raw, frames.of(next.value), gone)
      onSent(next.value)
      next = await events.next()
    }
    raw.end()
  } catch (error) {
    raw.destroy()
    if (!gone.aborted) throw error
  } finally {
    await events.return()
  }
}

async function write(raw: ServerResponse, frame: Buffer, gone: AbortSignal): Promise<void> {
  if (!raw.write(frame)) await once(raw, 'drain', { signal: gone })
}
