import { constants, setPriority } from 'node:os'

/**
 * Lets whatever else runs on the machine go first: for work that may take its time beside ingest and queries. The threads that are started from now on have the same priority. Where the system does not
 * allow it, nothing changes.
 */
export function giveWay(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW)
  } catch {
    // Then it runs as all others do.
  }
}
