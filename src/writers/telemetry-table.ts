import type { InstrumentationScope, Resource } from '../models/resource.ts'
import type { ScannedRecord } from '../models/scan/scanned-record.ts'
import type { EntryId } from '../models/stream-entry.ts'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { PartitionedTable } from '../retention/partitions.ts'
import type { CopyEncoder } from './copy-encoder.ts'
import type { ContentRow, InternedContent } from './interned-content.ts'

/** Which record of which entry a row is of. */
export interface RowOrigin {
  readonly id: EntryId
  readonly recordIndex: number
}

/** One table that a record has a row in. */
export interface CopyTarget<T, Refs, S> {
  readonly table: PartitionedTable
  readonly columns: readonly string[]
  /** How records that were parsed have rows here. */
  readonly parsed: RowsOf<T, Refs>
  /** How records that were not have the same rows. */
  readonly scanned: RowsOf<S, Refs>
}

export interface RowsOf<T, Refs> {
  /** How many rows this record has here. */
  count(record: T): number
  /**
   * Encodes one field for each of the target's columns.
   *
   * @param position of the row among those that the record has here.
   */
  encode(
    encoder: CopyEncoder,
    record: T,
    row: { readonly refs: Refs; readonly origin: RowOrigin },
    position: number,
  ): void
}

/** How the records of one signal become rows. `Refs` are the ids of interned content that its rows bear. */
export interface TelemetryTable<T, Refs = unknown, S extends ScannedRecord = ScannedRecord> {
  readonly signal: TelemetrySignal
  readonly targets: readonly CopyTarget<T, Refs, S>[]
  /** The time, in unix nanoseconds, that decides the partition. */
  time(record: T): bigint
  /** The ids that the rows of this record bear, and the content behind each. */
  refer(record: T, content: InternedContent): Referred<Refs>
  referScanned(record: S, content: InternedContent): Referred<Refs>
}

export interface Referred<Refs> {
  readonly refs: Refs
  readonly rows: readonly ContentRow[]
}

/** Where a row came from. Redis ids are unsigned. */
export function encodeOrigin(encoder: CopyEncoder, { id, recordIndex }: RowOrigin): void {
  encoder.uint8(id.ms)
  encoder.uint8(id.seq)
  encoder.int4(recordIndex)
}

export const ORIGIN_COLUMNS = ['entry_ms', 'entry_seq', 'record_index'] as const

/** Where a span or log record came from, as ids of interned content. */
export interface SourceRefs {
  readonly resourceId: bigint
  readonly scopeId: bigint
}

/** `refer` of the tables whose rows bear the ids of their resource and scope. */
export function referToSource(
  record: { readonly resource: Resource; readonly scope: InstrumentationScope; readonly service: string },
  content: InternedContent,
): Referred<SourceRefs> {
  const resource = content.resource(record.resource, record.service)
  const scope = content.scope(record.scope)
  return { refs: { resourceId: resource.id, scopeId: scope.id }, rows: [resource, scope] }
}

/** `referScanned` of the same tables. */
export function referToScannedSource(
  { source }: ScannedRecord,
  content: InternedContent,
): Referred<SourceRefs> {
  const { resource, scope } = content.source(source)
  return { refs: { resourceId: resource.id, scopeId: scope.id }, rows: [resource, scope] }
}
