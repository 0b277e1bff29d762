import type pg from 'pg'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import type { PartitionRange } from './partition-range.ts'
import type { PartitionedTable } from './partitions.ts'

/** What retention takes away: a whole partition, or rows of one. */
export interface Removal extends PartitionRange {
  /** Of its row in `removals`. A removal that was cut off goes on under its id. */
  readonly removalId: bigint
  readonly kind: 'partition' | 'rows'
  readonly signal: TelemetrySignal
  readonly table: PartitionedTable
  /** The partition, attached or not any more, as SQL takes it. */
  readonly partition: string
  /** Of kind `rows`: which go. */
  readonly rules: string | undefined
}

/** What is done with telemetry before retention takes it away. */
export interface RemovalHooks {
  /**
   * Awaited before anything of a partition is detached or deleted. Throwing keeps all of it until the next run, which asks again.
   *
   * Rows may still be written to the partition until it is detached. Whoever must have all of them compares in {@link removeRows}, and throws where
   * some are new: this is then asked again of the detached table, to which nothing comes any more. It must be possible to ask it twice.
   *
   * @param signal ends it; it throws then.
   */
  beforeRemoval(removal: Removal, signal: AbortSignal): Promise<void>
  /**
   * Called in the transaction that takes rows away, while they are there: once for a partition, once for each chunk of deleted rows. What it writes through
   * `client` is committed with that or not at all. Throwing keeps the rows until the next run.
   *
   * @param relation has the rows that go, as SQL takes it after FROM, with an alias where one is needed: `insert into sums select … from ${relation} as gone`.
   *   Rows that go together with those of another table (prompts and completions of deleted spans and log records) are not told.
   */
  removeRows(client: pg.ClientBase, removal: Removal, relation: string): Promise<void>
}

/** Nothing is done with them. */
export const NO_REMOVAL_HOOKS: RemovalHooks = {
  beforeRemoval: async () => undefined,
  removeRows: async () => undefined,
}
