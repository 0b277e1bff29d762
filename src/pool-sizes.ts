import { TELEMETRY_SIGNALS } from './models/telemetry-signal.ts'
import type { Settings } from './settings.ts'

/** The PostgreSQL pools of a service: one for each of its roles, and two that the work of neither can exhaust. */
export type PoolName = 'operations' | 'ingest' | 'maintenance' | 'archive' | 'api'

/** How many PostgreSQL connections each pool of a service opens at most. A role that a process does not have opens none. */
export function poolSizes({
  writeConcurrency,
  databasePoolMax,
}: Pick<Settings, 'writeConcurrency' | 'databasePoolMax'>): Readonly<Record<PoolName, number>> {
  return {
    // Probes share one check.
    operations: 1,
    // One for each batch that is written at once, one to look things up, and one for pruning, which takes its time.
    ingest: writeConcurrency * TELEMETRY_SIGNALS.length + 2,
    // One for each that takes minutes, and must not take a batch's connection: building indexes, vacuuming, rolling up, retention, and one to look things up. Mostly there is none.
    maintenance: 5,
    // Of the thread that archives what retention is about to remove.
    archive: 1,
    api: databasePoolMax,
  }
}
