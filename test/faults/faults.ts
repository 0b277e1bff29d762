import type { Fault } from './fault.ts'
import { KILL_POINTS } from './kinds/kill-points.ts'
import { POISON_FAULTS } from './kinds/poison.ts'
import { POSTGRES_FAULTS } from './kinds/postgres-outages.ts'
import { GROUP_FAULTS } from './kinds/redis-group.ts'
import { ALWAYS_FAULTS, LOSING_FAULTS, REDIS_FAULTS } from './kinds/redis-losses.ts'
import { SILENCE_FAULTS } from './kinds/silence.ts'
import type { Fsync } from './servers.ts'

const SAFE: readonly Fault[] = [
  ...KILL_POINTS,
  ...SILENCE_FAULTS,
  ...POSTGRES_FAULTS,
  ...REDIS_FAULTS,
  ...GROUP_FAULTS,
  ...POISON_FAULTS,
]

/** Every fault that goes with the way Redis syncs: with `always`, none that may lose what it acknowledged. */
export function faultsFor(fsync: Fsync): readonly Fault[] {
  return fsync === 'always' ? [...SAFE, ...ALWAYS_FAULTS] : [...SAFE, ...LOSING_FAULTS]
}
