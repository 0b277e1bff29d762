import type { Redis } from 'ioredis'
import type pg from 'pg'
import { cancelQuery } from '../cancel-query.ts'
import { streamKey } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { AuditFailure, FoundFailure } from './audit-failure.ts'
import { checkStream, type StreamCounts } from './check-stream.ts'
import { checkTables, type TableCounts } from './check-tables.ts'
import type { KeyRange } from './entry-key.ts'
import { PartitionCoverage } from './partition-coverage.ts'
import { beginSnapshot } from './snapshot.ts'

export interface AuditProgress {
  readonly signal: TelemetrySignal
  readonly where: 'stream' | 'tables'
  readonly entries: number
}

export interface AuditOptions {
  readonly redis: Redis
  /** Used by nothing else meanwhile; to be ended afterwards. */
  readonly client: pg.Client
  readonly signals: readonly TelemetrySignal[]
  readonly streamPrefix: string
  readonly group: string
  readonly range: KeyRange
  /** See {@link Settings}. */
  readonly acceptPastDays: number
  readonly stopping: AbortSignal
  readonly onFailure: (failure: AuditFailure) => Promise<void>
  readonly onProgress: (progress: AuditProgress) => void
}

/** What was found of one signal. */
export interface SignalAudit {
  readonly signal: TelemetrySignal
  readonly stream: string
  readonly inStream: StreamCounts
  readonly inTables: TableCounts
  readonly failures: number
}

/**
 * Checks that every entry in the streams is committed, pending or still to be read, and that the tables hold exactly what the ledger says was
 * committed: nothing less, nothing twice, nothing else. Safe and without false alarms beside a running service. Memory is the same for any
 * size; what it costs PostgreSQL is told at {@link readStoredEntries}.
 *
 * @throws what pg and ioredis throw, and the reason of `stopping` when that is aborted.
 */
export async function audit(options: AuditOptions): Promise<readonly SignalAudit[]> {
  const { client, stopping } = options
  stopping.throwIfAborted()
  const cancel = (): void => void cancelQuery(client)
  stopping.addEventListener('abort', cancel, { once: true })
  try {
    return await auditSignals(options)
  } catch (error) {
    stopping.throwIfAborted()
    throw error
  } finally {
    stopping.removeEventListener('abort', cancel)
  }
}

/** The streams first: the tables are compared with the ledger alone, as both are in one snapshot. */
async function auditSignals(options: AuditOptions): Promise<readonly SignalAudit[]> {
  const { client, signals, streamPrefix } = options
  const checks = signals.map((signal) => ({
    signal,
    stream: streamKey(streamPrefix, signal),
    sink: new Sink(signal, options),
  }))
  const inStreams: StreamCounts[] = []
  for (const { stream, sink } of checks) {
    const callbacks = sink.callbacks('stream')
    inStreams.push(await checkStream({ ...options, ...callbacks, stream }))
  }
  await beginSnapshot(client)
  const coverage = await PartitionCoverage.read(client)
  const audits: SignalAudit[] = []
  for (const [index, { signal, stream, sink }] of checks.entries()) {
    const inTables = await checkTables({ ...options, ...sink.callbacks('tables'), signal, coverage })
    const inStream = inStreams[index] as StreamCounts
    audits.push({ signal, stream, inStream, inTables, failures: sink.failures })
  }
  await client.query('rollback')
  return audits
}

/** Takes what the checks of one signal tell. */
class Sink {
  readonly #signal: TelemetrySignal
  readonly #options: AuditOptions
  failures = 0

  constructor(signal: TelemetrySignal, options: AuditOptions) {
    this.#signal = signal
    this.#options = options
  }

  callbacks(where: AuditProgress['where']) {
    const signal = this.#signal
    let entries = 0
    this.#options.onProgress({ signal, where, entries })
    return {
      onFailure: async (failure: FoundFailure) => {
        this.failures += 1
        await this.#options.onFailure({ signal, ...failure })
      },
      onEntries: (count: number) => {
        entries += count
        this.#options.onProgress({ signal, where, entries })
      },
    }
  }
}
