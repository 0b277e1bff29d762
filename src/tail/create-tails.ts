import type { Redis } from 'ioredis'
import type pg from 'pg'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { Privacy } from '../models/privacy/privacy.ts'
import type { RecordLimits } from '../models/record-limits.ts'
import { streamKey } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { LOG_RECORDS } from '../repositories/log-record-repository.ts'
import { POINTS } from '../repositories/metric-repository.ts'
import type { RecordSource } from '../repositories/record-source.ts'
import { SPANS } from '../repositories/trace-repository.ts'
import { RecordDecoder } from '../writers/record-decoder.ts'
import { createSignalTail, type SignalTail } from './signal-tail.ts'
import { StoredRecords } from './stored-records.ts'

export interface TailsOptions {
  readonly streamPrefix: string
  readonly recordLimits: RecordLimits
  readonly privacy: Privacy
  readonly pool: pg.Pool
  readonly commands: Redis
  readonly connect: () => { readonly redis: Redis; readonly close: () => void }
  readonly metrics: Metrics
  readonly logger: Logger
}

/** One a signal. */
export type SignalTails = Readonly<Record<TelemetrySignal, SignalTail>>

/** Makes the tails: until somebody watches they read nothing. */
export function createTails(options: TailsOptions): SignalTails {
  const { streamPrefix, recordLimits, privacy, pool, metrics, logger } = options
  const tailOf = <S extends TelemetrySignal>(signal: S, source: RecordSource) =>
    createSignalTail<S>({
      ...options,
      signal,
      stream: streamKey(streamPrefix, signal),
      decoder: new RecordDecoder(signal, recordLimits, privacy),
      stored: new StoredRecords(pool, source),
      onError: (error) => logger.warn({ err: error, signal }, 'a tail could not read; trying again'),
      onSkipped: (entries) => {
        metrics.tailEntriesSkipped.inc({ signal }, entries)
        logger.warn({ signal, entries }, 'tails passed over entries; those who watch were told')
      },
    })
  return {
    traces: tailOf('traces', SPANS),
    metrics: tailOf('metrics', POINTS),
    logs: tailOf('logs', LOG_RECORDS),
  }
}
