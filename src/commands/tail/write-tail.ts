import { once } from 'node:events'
import type { TailEvent } from '../../tail/tail-event.ts'
import type { QueryStdout } from '../query/query-output.ts'
import type { LineOfRecord } from './line-of-record.ts'
import type { TailNotices } from './tail-notices.ts'

export interface TailOutputs {
  readonly lineOf: LineOfRecord
  readonly stdout: QueryStdout
  readonly notices: Pick<TailNotices, 'event'>
  /** Whether to go on after the history. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

/** Writes the records of a tail, until it ends. While standard output takes no more nothing more is read: so its source sees that it is slow. */
export async function writeTail(events: AsyncIterable<TailEvent>, outputs: TailOutputs): Promise<void> {
  const { lineOf, stdout, notices, follow, signal } = outputs
  for await (const event of events) {
    if (event.kind === 'heartbeat') {
      // The first one says that all of the history has come.
      if (!follow) return
    } else if (event.kind === 'record') {
      const line = lineOf(event.json.toString())
      if (line !== undefined && !stdout.write(`${line}\n`)) await drained(stdout, signal)
    } else notices.event(event)
  }
}

async function drained(stdout: QueryStdout, signal: AbortSignal): Promise<void> {
  try {
    await once(stdout, 'drain', { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
