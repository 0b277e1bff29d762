import type pg from 'pg'
import { HeldUp } from '../held-up.ts'
import { listPartitions } from '../list-partitions.ts'
import { overlaps } from '../partition-range.ts'
import type { Removal, RemovalHooks } from '../removal-hooks.ts'
import { RETAINED_TABLES } from '../retention-policy.ts'
import { CHANGES_REMEMBERED_MS } from '../rollups/changed-minutes.ts'
import type { ArchiveBeforeRemoval } from './archive-before-removal.ts'
import type { ArchivePartition } from './archive-context.ts'
import { notedContent } from './archive-records.ts'
import { columnsOf } from './copy-table.ts'
import { rowVersions } from './row-versions.ts'

/** What changed is remembered for longer: that is counted from the beginning of the transaction that takes it up, which may be a little earlier than the change. */
const CHANGES_KNOWN_MS = CHANGES_REMEMBERED_MS - 300_000

/**
 * Takes nothing away that is in no archive: everything of a partition is archived and read back before anything of it goes, and what came in between holds the removal up until
 * the next run, which archives that, too.
 */
export class ArchiveRemovals implements RemovalHooks {
  readonly #pool: pg.Pool
  readonly #archive: ArchiveBeforeRemoval
  readonly #changesKnownMs: number
  /** Of the removal of rows that goes on: one does at a time. */
  #deleting: Deleting | undefined

  constructor(
    pool: pg.Pool,
    archive: ArchiveBeforeRemoval,
    { changesKnownMs = CHANGES_KNOWN_MS }: { readonly changesKnownMs?: number } = {},
  ) {
    this.#pool = pool
    this.#archive = archive
    this.#changesKnownMs = changesKnownMs
  }

  async beforeRemoval(removal: Removal, signal: AbortSignal): Promise<void> {
    const { table, partition: name, fromMs, toMs, kind } = removal
    if (kind === 'rows') {
      const { rows } = await this.#pool.query<{ snapshot: string; takenAt: string }>(
        'select pg_current_snapshot()::text as snapshot, now()::text as "takenAt"',
      )
      const { snapshot, takenAt } = rows[0] ?? { snapshot: '', takenAt: '' }
      this.#deleting = { removalId: removal.removalId, snapshot, takenAt, ownXids: [] }
      for (const contents of await this.#contentsOf(removal)) await this.#archive(contents, signal)
    }
    await this.#archive({ table, name, fromMs, toMs }, signal)
  }

  /** The partitions of prompts and completions, which go with rows that are deleted. */
  async #contentsOf(removal: Removal): Promise<readonly ArchivePartition[]> {
    const contents = RETAINED_TABLES.find(({ table }) => table === removal.table)?.contents
    if (contents === undefined) return []
    const { table } = contents
    const partitions = await listPartitions(this.#pool, table)
    return partitions
      .filter((range) => overlaps(range, removal))
      .map((partition) => ({ ...partition, table }))
  }

  async removeRows(client: pg.ClientBase, removal: Removal, relation: string): Promise<void> {
    const isSafe =
      removal.kind === 'partition' ? isArchived(client, relation) : this.#isUnchanged(client, removal)
    if (!(await isSafe))
      throw new HeldUp(
        `rows came to ${removal.partition} after it was archived, or that was too long ago to know: the next run archives them, too`,
      )
  }

  /** Whether nothing was written to the time of the partition since it was archived, but by this removal. */
  async #isUnchanged(client: pg.ClientBase, { removalId, signal, fromMs, toMs }: Removal): Promise<boolean> {
    const deleting = this.#deleting
    if (deleting?.removalId !== removalId) return false
    const { rows } = await client.query<{
      xid: string
      snapshot: string
      takenAt: string
      unchanged: boolean
    }>(
      `select pg_current_xact_id()::text as xid, pg_current_snapshot()::text as snapshot, now()::text as "takenAt",
              extract(epoch from clock_timestamp() - $6::timestamptz) * 1000 < $7::float8 and not exists (
         select from changed_minutes
          where signal = $1 and xid >= pg_snapshot_xmin($2::pg_snapshot) and not pg_visible_in_snapshot(xid, $2::pg_snapshot)
            and not xid::text = any($3)
            and minutes && int4multirange(int4range($4, $5))) as unchanged`,
      [
        signal,
        deleting.snapshot,
        deleting.ownXids,
        Math.floor(fromMs / 60_000),
        Math.ceil(toMs / 60_000),
        deleting.takenAt,
        this.#changesKnownMs,
      ],
    )
    const [seen] = rows
    if (seen?.unchanged !== true) return false
    // Only this transaction is not in its own snapshot.
    const { snapshot, takenAt, xid } = seen
    this.#deleting = { removalId, snapshot, takenAt, ownXids: [xid] }
    return true
  }
}

/** Up to when nothing has changed but by the removal itself. */
interface Deleting {
  readonly removalId: bigint
  readonly snapshot: string
  /** No later than the snapshot. */
  readonly takenAt: string
  /** Of the removal, and not in the snapshot. */
  readonly ownXids: readonly string[]
}

/** Whether the rows of a partition, to which nothing comes any more, are the very ones that were archived. */
async function isArchived(client: pg.ClientBase, partition: string): Promise<boolean> {
  const { rows, versions } = await rowVersions(client, partition, await columnsOf(client, partition))
  return rows === 0 || (await notedContent(client, partition, versions)) !== undefined
}
