import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { readGroupStates } from '../../src/ingest/group-state.ts'
import { streamKey } from '../../src/models/stream-entry.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { addSums, type DaySums, NO_SUMS } from './day-sums.ts'
import { type DayOptions, recordsOfDay, sumsOfRecord } from './telemetry.ts'

const RECORDS_PER_ENTRY = 50
const ENTRIES_PER_PIPELINE = 40
/** Entries that wait to be read: enough that ingest never waits, and few in the memory of Redis. */
const WAITING_MAX = 8000
const POLL_MS = 20

export interface LoadOptions {
  readonly redis: Redis
  readonly streamPrefix: string
  readonly signal: AbortSignal
}

/** Adds the records of a day to the streams as fast as they are read. @returns what they add up to. */
export async function addDay(
  options: LoadOptions,
  day: Omit<DayOptions, 'rows'>,
  rows: Readonly<Record<TelemetrySignal, number>>,
): Promise<DaySums> {
  let sums = NO_SUMS
  for (const signal of TELEMETRY_SIGNALS) {
    const stream = streamKey(options.streamPrefix, signal)
    let pipeline = options.redis.pipeline()
    const send = async () => {
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error
      pipeline = options.redis.pipeline()
      await untilWaiting(options, WAITING_MAX)
    }
    let entry: unknown[] = []
    const end = () => {
      if (entry.length > 0) pipeline.xadd(stream, '*', 'json', JSON.stringify(entry))
      entry = []
    }
    for (const record of recordsOfDay(signal, { ...day, rows: rows[signal] })) {
      sums = addSums(sums, sumsOfRecord(signal, record))
      if (entry.push(record) === RECORDS_PER_ENTRY) end()
      if (pipeline.length === ENTRIES_PER_PIPELINE) await send()
    }
    end()
    await send()
  }
  return sums
}

/** Resolves when so many entries of all streams, or fewer, are not written yet. */
export async function untilWaiting({ redis, streamPrefix, signal }: LoadOptions, max: number): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    const states = await readGroupStates(redis, (each) => ({
      stream: streamKey(streamPrefix, each),
      group: 'observatory',
    }))
    const waiting = [...states.values()].map(({ lag, pending }) => (lag ?? WAITING_MAX) + pending)
    // All of them are made by the service when it starts.
    if (states.size === TELEMETRY_SIGNALS.length && waiting.reduce((sum, entries) => sum + entries, 0) <= max)
      return
    await sleep(POLL_MS, undefined, { signal })
  }
}
