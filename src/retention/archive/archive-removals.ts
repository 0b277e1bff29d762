import type pg from 'pg'
import type { Settings } from '../../settings.ts'
import { HeldUp } from '../held-up.ts'
import { listPartitions } from '../list-partitions.ts'
import { overlaps } from '../partition-range.ts'
import type { Removal, RemovalHooks } from '../removal-hooks.ts'
import { RETAINED_TABLES } from '../retention-policy.ts'
import {
  type ArchiveBeforeRemoval,
  type ArchiveMetrics,
  createArchiveBeforeRemoval,
} from './archive-before-removal.ts'
import type { ArchivePartition } from './archive-context.ts'
import type { ArchiveSettings } from './open-archive-storage.ts'

/**
 * Takes nothing away that is in no archive: everything of a partition is archived and read back before anything of it goes, and what came in between holds the removal up until
 * the next run, which archives that, too.
 *
 * @param pool for two connections while something is archived.
 * @returns undefined where no archives are kept.
 */
export function createArchiveRemovals(
  pool: pg.Pool,
  settings: ArchiveSettings & Pick<Settings, 'archiveFormat'>,
  metrics?: ArchiveMetrics,
): RemovalHooks | undefined {
  const archive = createArchiveBeforeRemoval(pool, settings, metrics)
  return archive && new ArchiveRemovals(pool, archive)
}

class ArchiveRemovals implements RemovalHooks {
  readonly #pool: pg.Pool
  readonly #archive: ArchiveBeforeRemoval
  /** Of the removal of rows that goes on: one does at a time. */
  #deleting: { readonly removalId: bigint; readonly snapshot: string; readonly ownXids: string[] } | undefined

  constructor(pool: pg.Pool, archive: ArchiveBeforeRemoval) {
    this.#pool = pool
    this.#archive = archive
  }

  async beforeRemoval(removal: Removal): Promise<void> {
    const { table, partition: name, fromMs, toMs, kind } = removal
    if (kind === 'rows') {
      const { rows } = await this.#pool.query<{ snapshot: string }>(
        'select pg_current_snapshot()::text as snapshot',
      )
      this.#deleting = { removalId: removal.removalId, snapshot: rows[0]?.snapshot ?? '', ownXids: [] }
      for (const contents of await this.#contentsOf(removal)) await this.#archive(contents)
    }
    await this.#archive({ table, name, fromMs, toMs })
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
    const isArchived =
      removal.kind === 'partition' ? hasArchivedRows(client, relation) : this.#isUnchanged(client, removal)
    if (!(await isArchived))
      throw new HeldUp(
        `rows came to ${removal.partition} after it was archived: the next run archives them, too`,
      )
  }

  /** Whether nothing was written to the time of the partition since it was archived, but by this removal. */
  async #isUnchanged(client: pg.ClientBase, { removalId, signal, fromMs, toMs }: Removal): Promise<boolean> {
    const deleting = this.#deleting
    if (deleting?.removalId !== removalId) return false
    const { rows } = await client.query<{ xid: string; unchanged: boolean }>(
      `select pg_current_xact_id()::text as xid, not exists (
         select from changed_minutes
          where signal = $1 and xid >= pg_snapshot_xmin($2::pg_snapshot) and not pg_visible_in_snapshot(xid, $2::pg_snapshot)
            and not xid::text = any($3)
            and minutes && int4multirange(int4range($4, $5))) as unchanged`,
      [signal, deleting.snapshot, deleting.ownXids, Math.floor(fromMs / 60_000), Math.ceil(toMs / 60_000)],
    )
    deleting.ownXids.push(rows[0]?.xid ?? '')
    return rows[0]?.unchanged === true
  }
}

/** Whether a partition that nothing comes to any more has as many rows as were archived of it. */
async function hasArchivedRows(client: pg.ClientBase, partition: string): Promise<boolean> {
  const { rows } = await client.query<{ same: boolean }>(
    `select (select count(*) from ${partition})
            = coalesce((select row_count from archived_partitions where partition_oid = $1::regclass), 0) as same`,
    [partition],
  )
  return rows[0]?.same === true
}
