import { poolSizes } from '../../pool-sizes.ts'
import type { Settings } from '../../settings.ts'

/** PostgreSQL connections that one service with all roles opens at most. */
export function connectionsNeeded(settings: Settings): number {
  return Object.values(poolSizes(settings)).reduce((sum, size) => sum + size, 0)
}
