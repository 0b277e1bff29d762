import type { IngestWorker } from '../ingest/ingest-worker.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { PartitionKeeper } from '../retention/partition-keeper.ts'

/** What of a service changes while it runs. */
export interface ServiceState {
  phase: 'starting' | 'running' | 'stopping'
  /** When it was asked to stop, in milliseconds of `performance.now()`. */
  stoppedAtMs: number | undefined
  partitionKeeper: PartitionKeeper | undefined
  readonly workers: Map<TelemetrySignal, Pick<IngestWorker<object>, 'problem' | 'recordsInFlight' | 'stop'>>
}
