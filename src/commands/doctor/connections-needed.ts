import { TELEMETRY_SIGNALS } from '../../models/telemetry-signal.ts'
import type { Settings } from '../../settings.ts'

/** PostgreSQL connections that one service with all roles opens at most: the pools of service.ts. */
export function connectionsNeeded({ writeConcurrency, databasePoolMax }: Settings): number {
  const ingest = writeConcurrency * TELEMETRY_SIGNALS.length + 1
  return ingest + databasePoolMax
}
