import type pg from 'pg'
import { LOCK_NOT_AVAILABLE, sqlStateOf } from '../errors.ts'
import { sleep } from '../lifecycle.ts'
import { HeldUp } from './held-up.ts'

export interface DetachOptions {
  readonly signal: AbortSignal
  /** How long it waits until nobody is there who has used the table for long. Default 30 s. */
  readonly readersWaitMs?: number
  /** How long a transaction must be at it to be waited for so. Default 10 s. */
  readonly oldUseMs?: number
  /** How long it tries to finish a detach that was begun: until then late rows of its time wait. Default an hour, which is as long as a query of the API may take. */
  readonly finishWaitMs?: number
  /** Told once when it has to try that again. */
  readonly onWaiting?: (reason: string) => void
}

/**
 * From its beginning until it is over, a DETACH CONCURRENTLY lets nobody write to the partition, nor make another one of its time, and it waits for
 * everybody who used the table when it began. So it is begun only when nobody does so for longer than this: then late rows wait
 * for a moment, and not for the end of an export.
 */
const OLD_USE_MS = 10_000
const POLL_MS = 250
/** Of each wait of DETACH CONCURRENTLY. It holds no lock that a read or a COPY of another partition needs. */
const DETACH_LOCK_TIMEOUT = '10s'
/** While FINALIZE waits, partitions cannot be made: shorter than {@link Partitions} waits for that. */
const FINALIZE_LOCK_TIMEOUT = '1s'
const FINALIZE_PAUSE_MS = 3000

/** Where a partition is, by its name with the schema. */
export type PartitionPlace = 'attached' | 'detaching' | 'detached' | 'gone'

export async function placeOf(
  client: Pick<pg.ClientBase, 'query'>,
  { table, partition }: { readonly table: string; readonly partition: string },
): Promise<PartitionPlace> {
  const { rows } = await client.query<{ pending: boolean | null }>(
    `select i.inhdetachpending as pending from pg_class c
       left join pg_inherits i on i.inhrelid = c.oid and i.inhparent = $1::regclass
      where c.oid = to_regclass($2)`,
    [table, partition],
  )
  const [row] = rows
  if (row === undefined) return 'gone'
  if (row.pending === null) return 'detached'
  return row.pending ? 'detaching' : 'attached'
}

/**
 * Detaches an attached partition, while the table is read and written.
 *
 * @throws HeldUp before anything is done, or when it was begun and others keep it from ending: then {@link finishDetach} it.
 */
export async function detachPartition(
  client: pg.ClientBase,
  names: { readonly table: string; readonly partition: string },
  options: DetachOptions,
): Promise<void> {
  if (await isBusy(client, names.partition))
    throw new HeldUp(`${names.partition} is vacuumed, or an index of it built, by somebody else`)
  await untilNoOldUse(client, names.table, options)
  try {
    await client.query(`set lock_timeout = '${DETACH_LOCK_TIMEOUT}'`)
    await client.query(`alter table ${names.table} detach partition ${names.partition} concurrently`)
  } catch (error) {
    if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error
    if ((await placeOf(client, names)) !== 'detaching')
      throw new HeldUp(`${names.partition} is locked by somebody else`)
    await finishDetach(client, names, options)
  }
}

/** Finishes a DETACH CONCURRENTLY that was broken off. @throws HeldUp */
export async function finishDetach(
  client: pg.ClientBase,
  { table, partition }: { readonly table: string; readonly partition: string },
  { signal, finishWaitMs = 3_600_000, onWaiting }: DetachOptions,
): Promise<void> {
  const giveUpAt = performance.now() + finishWaitMs
  await client.query(`set lock_timeout = '${FINALIZE_LOCK_TIMEOUT}'`)
  const reason = `detaching ${partition} waits for the end of a transaction that is older`
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted()
    try {
      await client.query(`alter table ${table} detach partition ${partition} finalize`)
      return
    } catch (error) {
      if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error
      if (performance.now() >= giveUpAt) throw new HeldUp(reason)
      if (attempt === 1) onWaiting?.(reason)
    }
    await sleep(FINALIZE_PAUSE_MS, signal)
  }
}

/** What a DETACH would wait for while new partitions wait for it. */
async function isBusy(client: pg.ClientBase, partition: string): Promise<boolean> {
  const { rows } = await client.query<{ busy: boolean }>(
    `select exists (select from pg_locks l
              where l.relation = $1::regclass and l.database = (select oid from pg_database where datname = current_database())
                and l.mode = 'ShareUpdateExclusiveLock' and l.granted and l.pid <> pg_backend_pid()) as busy`,
    [partition],
  )
  return rows[0]?.busy === true
}

/** Whoever is hidden from this role (another one's session, a prepared transaction) counts as old. */
const OLD_USE = `
  select count(*)::int as count
    from pg_locks l left join pg_stat_activity a on a.pid = l.pid
   where l.relation = $1::regclass and l.database = (select oid from pg_database where datname = current_database()) and l.granted
     and l.pid is distinct from pg_backend_pid()
     and coalesce(a.xact_start < clock_timestamp() - make_interval(secs => $2::float8 / 1000), true)`

async function untilNoOldUse(
  client: pg.ClientBase,
  table: string,
  { signal, readersWaitMs = 30_000, oldUseMs = OLD_USE_MS }: DetachOptions,
): Promise<void> {
  const giveUpAt = performance.now() + readersWaitMs
  for (;;) {
    const { rows } = await client.query<{ count: number }>(OLD_USE, [table, oldUseMs])
    if (rows[0]?.count === 0) return
    if (performance.now() >= giveUpAt)
      throw new HeldUp(`${table} is in use by transactions that are older than ${oldUseMs / 1000} s`)
    await sleep(POLL_MS, signal)
  }
}
