import type { Redis } from 'ioredis'
import { parseEntryId } from '../models/stream-entry.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../models/telemetry-signal.ts'
import type { GroupOfStream } from './consumer-group.ts'
import { xinfo } from './xinfo.ts'

/** How far a group is. `lag` is null when Redis does not know, which it says after XDEL and XTRIM. */
export interface GroupState {
  readonly lag: number | null
  readonly pending: number
  /** How long ago the oldest pending entry was added; 0 when there is none. */
  readonly oldestPendingSeconds: number
}

/** The state of each signal's group, by XINFO GROUPS and XPENDING. Those are left out that are not there, or of which Redis does not tell. */
export async function readGroupStates(
  redis: Redis,
  groupOf: (signal: TelemetrySignal) => GroupOfStream,
): Promise<ReadonlyMap<TelemetrySignal, GroupState>> {
  const states = new Map<TelemetrySignal, GroupState>()
  const read = async (signal: TelemetrySignal) => {
    const state = await readGroupState(redis, groupOf(signal)).catch(() => undefined)
    if (state !== undefined) states.set(signal, state)
  }
  await Promise.all(TELEMETRY_SIGNALS.map(read))
  return states
}

async function readGroupState(
  redis: Redis,
  { stream, group }: GroupOfStream,
): Promise<GroupState | undefined> {
  // Sent together: a group that is not there makes the second fail, and has no state.
  const [groups, [, oldest]] = await Promise.all([
    xinfo(redis, 'GROUPS', stream),
    redis.xpending(stream, group),
  ])
  const state = groups.find((each) => each.get('name') === group)
  if (state === undefined) return undefined
  const lag = state.get('lag')
  const addedAtMs = typeof oldest === 'string' ? Number(parseEntryId(oldest).ms) : undefined
  return {
    lag: typeof lag === 'number' ? lag : null,
    pending: Number(state.get('pending')),
    oldestPendingSeconds: addedAtMs === undefined ? 0 : Math.max(0, Date.now() - addedAtMs) / 1000,
  }
}
