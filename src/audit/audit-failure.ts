import type { TelemetrySignal } from '../models/telemetry-signal.ts'

/**
 * What can be wrong:
 * - `not_ingested`: in the stream, delivered, acknowledged, and not listed in the ledger;
 * - `rows`, `letters`: there are more or fewer than the ledger counted when it committed a batch;
 * - `no_record`: an entry of a batch that lacks some, which may be one of those;
 * - `twice`: a record is there more often than the ledger lists its entry;
 * - `bodies`: a span lacks its prompt and completion bodies, or has them twice;
 * - `not_listed`: rows or letters whose entry no batch lists;
 * - `unreadable`: a ledger row whose list of entries is not what it was written as.
 */
export type AuditFailureKind =
  | 'not_ingested'
  | 'rows'
  | 'letters'
  | 'no_record'
  | 'twice'
  | 'bodies'
  | 'not_listed'
  | 'unreadable'

export interface AuditFailure {
  readonly signal: TelemetrySignal
  readonly kind: AuditFailureKind
  /** An entry id; of a batch the first one. */
  readonly id: string
  /** The last id of a batch; null for a single entry. */
  readonly lastId: string | null
  readonly detail: string
}

/** A failure of one signal, as the checks find it. */
export type FoundFailure = Omit<AuditFailure, 'signal'>

/** Takes each failure as it is found. The audit waits for it, so that any number of them takes no memory. */
export type OnFailure = (failure: FoundFailure) => Promise<void>
