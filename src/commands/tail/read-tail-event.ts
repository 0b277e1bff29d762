import type { EventSourceMessage } from 'eventsource-parser'
import type { ByeReason, GapReason, TailEvent } from '../../tail/tail-event.ts'

/** An event of the live tail, of a message of the server; undefined for a kind that came later than this client. */
export function readTailEvent({
  event = 'record',
  id = '',
  data,
}: EventSourceMessage): TailEvent | undefined {
  if (event === 'record') return { kind: 'record', id, json: Buffer.from(data) }
  const told = membersOf(data)
  if (event === 'heartbeat') return { kind: 'heartbeat', time: String(told.time ?? '') }
  if (event === 'dropped') return { kind: 'dropped', count: Number(told.count ?? 0) }
  if (event === 'bye') return { kind: 'bye', reason: String(told.reason) as ByeReason }
  if (event !== 'gap') return undefined
  return {
    kind: 'gap',
    from: String(told.from),
    to: String(told.to),
    entries: typeof told.entries === 'number' ? told.entries : null,
    reason: String(told.reason) as GapReason,
  }
}

/** What is no object tells nothing: the event is one all the same. */
function membersOf(data: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
