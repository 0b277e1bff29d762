import type pg from 'pg'
import { LOCK_NOT_AVAILABLE, messageOf, sqlStateOf } from '../errors.ts'
import type { DetachOptions } from './detach-partition.ts'
import { HeldUp } from './held-up.ts'
import { overlaps } from './partition-range.ts'
import { type DueRemoval, planRetention } from './plan-retention.ts'
import type { RemovalHooks } from './removal-hooks.ts'
import { advanceRemoval, type RecordedRemoval, recordRemoval, unfinishedRemovals } from './removals.ts'
import { type Removed, removePartition } from './remove-partition.ts'
import { removeRows } from './remove-rows.ts'
import { RETAINED_TABLES, type RetentionPolicy } from './retention-policy.ts'

export interface RunRetentionOptions extends Omit<DetachOptions, 'onWaiting'> {
  readonly policy: RetentionPolicy
  readonly hooks: RemovalHooks
  readonly nowMs: number
  /** Between two chunks of rows, at least. Default 50. */
  readonly pauseMs?: number
  readonly buildWaitMs?: number
  readonly onEvent: (event: RetentionEvent) => void
}

/** What a run tells of itself. */
export type RetentionEvent =
  | { readonly kind: 'begun'; readonly removal: RecordedRemoval }
  | {
      readonly kind: 'chunk'
      readonly removal: RecordedRemoval
      readonly rows: number
      readonly doneBlocks: number
      readonly totalBlocks: number
    }
  | ({ readonly kind: 'removed'; readonly removal: RecordedRemoval } & Removed)
  /** A detach that was begun cannot end yet: it is tried again and again, for late rows wait for it. */
  | { readonly kind: 'waiting'; readonly removal: RecordedRemoval; readonly reason: string }
  /** Both are tried again by the next run. */
  | { readonly kind: 'heldUp'; readonly removal: RecordedRemoval; readonly reason: string }
  | { readonly kind: 'failed'; readonly removal: RecordedRemoval; readonly error: unknown }

/** Whether all that was due is gone. */
export type RetentionOutcome = 'finished' | 'incomplete'

/**
 * Removes what is due: finishes what was begun, then drops partitions, then deletes rows. One that fails or is held up keeps no other from going, but for
 * what goes with it.
 *
 * @param client of {@link withRetentionSession}.
 * @throws what ends all of it: a lost connection, the `signal`'s reason.
 */
export async function runRetention(
  client: pg.ClientBase,
  options: RunRetentionOptions,
): Promise<RetentionOutcome> {
  const run = new Run(client, options)
  await run.finishBegun()
  for (const due of await planRetention(client, options)) await run.remove(due)
  return run.outcome
}

class Run {
  outcome: RetentionOutcome = 'finished'
  readonly #client: pg.ClientBase
  readonly #options: RunRetentionOptions
  readonly #left: RecordedRemoval[] = []

  constructor(client: pg.ClientBase, options: RunRetentionOptions) {
    this.#client = client
    this.#options = options
  }

  /** Partitions that a process before this one announced or detached; rows are looked for anew. */
  async finishBegun(): Promise<void> {
    const begun = await unfinishedRemovals(this.#client)
    if (begun.length === 0) return
    const due = await planRetention(this.#client, this.#options)
    for (const removal of begun) {
      const now = due.find(({ partition }) => partition === removal.partition)
      if (removal.kind === 'partition')
        await this.#try(removal, () => this.#removePartition(removal, now?.kind === 'partition'))
      else if (now === undefined) await advanceRemoval(this.#client, removal, 'abandoned')
    }
  }

  async remove({ verdict, ...due }: DueRemoval): Promise<void> {
    this.#options.signal.throwIfAborted()
    const follows = RETAINED_TABLES.find(({ table }) => table === due.table)?.follows
    const isLeft = this.#left.some(
      (left) => left.partition === due.partition || (left.table === follows && overlaps(left, due)),
    )
    if (isLeft) return
    const removal = await recordRemoval(this.#client, due)
    await this.#try(removal, () =>
      verdict === undefined
        ? this.#removePartition(removal, true)
        : removeRows(this.#client, removal, {
            ...this.#options,
            pauseMs: this.#options.pauseMs ?? 50,
            verdict,
            onChunk: (progress) => this.#options.onEvent({ kind: 'chunk', removal, ...progress }),
          }),
    )
  }

  #removePartition(removal: RecordedRemoval, isDue: boolean): Promise<Removed | undefined> {
    const onWaiting = (reason: string) => this.#options.onEvent({ kind: 'waiting', removal, reason })
    return removePartition(this.#client, removal, { ...this.#options, isDue, onWaiting })
  }

  async #try(removal: RecordedRemoval, work: () => Promise<Removed | undefined>): Promise<void> {
    const { onEvent, signal } = this.#options
    onEvent({ kind: 'begun', removal })
    try {
      const removed = await work()
      if (removed !== undefined) onEvent({ kind: 'removed', removal, ...removed })
    } catch (error) {
      signal.throwIfAborted()
      // A lost connection ends the run, whatever has failed of it first.
      await this.#client.query('rollback').catch(() => {
        throw error
      })
      this.outcome = 'incomplete'
      this.#left.push(removal)
      const isHeldUp = error instanceof HeldUp || sqlStateOf(error) === LOCK_NOT_AVAILABLE
      onEvent(
        isHeldUp ? { kind: 'heldUp', removal, reason: messageOf(error) } : { kind: 'failed', removal, error },
      )
    }
  }
}
