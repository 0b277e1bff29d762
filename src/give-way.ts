import { constants, setPriority } from 'node:os'

/**
 * Lets whatever else runs on the machine go first: for work that may take its time beside ingest and queries. It is the process that gives way, with the threads that it starts from now on; on Linux, called in a
 * worker, that thread alone. Where the system does not allow it, nothing changes.
 */
export function giveWay(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW)
  } catch {
    // Then it runs as all others do.
  }
}
