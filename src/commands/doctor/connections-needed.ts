import { TELEMETRY_SIGNALS } from '../../models/telemetry-signal.ts'
import type { Settings } from '../../settings.ts'

/** As in service.ts: a batch writes with one connection, may need one to intern content, and one to create partitions. */
const CONNECTIONS_PER_BATCH = 3

/** PostgreSQL connections that one service with all roles opens at most; one more migrates at start. */
export function connectionsNeeded({ writeConcurrency, databasePoolMax }: Settings): number {
  return writeConcurrency * TELEMETRY_SIGNALS.length * CONNECTIONS_PER_BATCH + databasePoolMax + 1
}
