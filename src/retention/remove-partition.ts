import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import { withBuildLock } from './build-lock.ts'
import { type DetachOptions, detachPartition, finishDetach, placeOf } from './detach-partition.ts'
import { HeldUp } from './held-up.ts'
import { REST } from './pace.ts'
import type { RemovalHooks } from './removal-hooks.ts'
import { advanceRemoval, type RecordedRemoval } from './removals.ts'

export interface RemovePartitionOptions extends DetachOptions {
  readonly hooks: RemovalHooks
  /** Whether a partition whose detaching was not begun is still to go. */
  readonly isDue: boolean
  /** How long an index that is being built is waited for. Default 10 minutes. */
  readonly buildWaitMs?: number
}

/** What was removed; undefined when there was nothing to remove any more. */
export interface Removed {
  readonly rows: number
  readonly bytes: number
}

/** Nobody reads or writes a detached table, unless by its name. */
const DROP_LOCK_TIMEOUT = '5s'

/**
 * Removes a partition whole, from wherever its removal was left:
 *
 *     attached ── hook ──▶ announced ── DETACH CONCURRENTLY ──▶ detaching ── FINALIZE ──▶ detached ── hook, DROP ──▶ gone
 *
 * Each step is seen in the catalogue, so a process may end between any two; the last is one transaction, with what the hook writes and the
 * end of the removal.
 *
 * @throws HeldUp when it cannot go on now; what a hook throws.
 */
export async function removePartition(
  client: pg.ClientBase,
  removal: RecordedRemoval,
  options: RemovePartitionOptions,
): Promise<Removed | undefined> {
  const underBuildLock = async <T>(waitMs: number, work: () => Promise<T>): Promise<T> => {
    const done = await withBuildLock(client, { waitMs, signal: options.signal }, work)
    if (done === undefined)
      throw new HeldUp(`${removal.partition} waits for the end of a build of an index or a vacuum`)
    return done.result
  }
  const { buildWaitMs = 600_000 } = options
  // First of all: until it is finished, rows of its time cannot be written.
  if ((await placeOf(client, removal)) === 'detaching')
    await underBuildLock(buildWaitMs, () => finish(client, removal, options))
  const place = await placeOf(client, removal)
  if (place === 'gone' || (place === 'attached' && !options.isDue)) {
    await advanceRemoval(client, removal, 'abandoned')
    return undefined
  }
  await options.hooks.beforeRemoval(removal, options.signal)
  let workedMs = 0
  const removed = await underBuildLock(buildWaitMs, async () => {
    if (place === 'attached') await detach(client, removal, options)
    const startedMs = performance.now()
    const dropped = await drop(client, removal, options.hooks)
    workedMs = performance.now() - startedMs
    return dropped
  })
  // What is gone is told, also when this is cut off.
  await sleep(REST * workedMs, options.signal).catch(() => undefined)
  return removed
}

async function detach(
  client: pg.ClientBase,
  removal: RecordedRemoval,
  options: RemovePartitionOptions,
): Promise<void> {
  await advanceRemoval(client, removal, 'detaching')
  await detachPartition(client, removal, options)
  await advanceRemoval(client, removal, 'detached')
}

async function finish(
  client: pg.ClientBase,
  removal: RecordedRemoval,
  options: RemovePartitionOptions,
): Promise<void> {
  await finishDetach(client, removal, options)
  await advanceRemoval(client, removal, 'detached')
}

async function drop(client: pg.ClientBase, removal: RecordedRemoval, hooks: RemovalHooks): Promise<Removed> {
  const { partition } = removal
  await client.query('begin')
  try {
    await client.query(`set local lock_timeout = '${DROP_LOCK_TIMEOUT}'`)
    await client.query(`lock table ${partition} in access exclusive mode`)
    const { rows } = await client.query<{ rows: number; bytes: number }>(
      `select (select count(*) from ${partition})::float8 as rows, pg_total_relation_size($1::regclass)::float8 as bytes`,
      [partition],
    )
    const removed = rows[0] ?? { rows: 0, bytes: 0 }
    await hooks.removeRows(client, removal, partition)
    await client.query(`drop table ${partition}`)
    await advanceRemoval(client, removal, 'removed', removed)
    await client.query('commit')
    return removed
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}
