import type { Settings } from '../settings.ts'
import { NO_REMOVAL_HOOKS, type RemovalHooks } from './removal-hooks.ts'
import { keepRollupsOf } from './rollups/keep-rollups-of.ts'

/** What is done with telemetry before retention takes it away, in the service and on the command line alike. */
export function createRemovalHooks(_settings: Settings): RemovalHooks {
  return { ...NO_REMOVAL_HOOKS, removeRows: keepRollupsOf }
}
