import type pg from 'pg'
import { sleep } from '../lifecycle.ts'
import { REST } from './pace.ts'
import type { RemovalHooks } from './removal-hooks.ts'
import { advanceRemoval, type RecordedRemoval } from './removals.ts'
import type { Removed } from './remove-partition.ts'
import { RETAINED_TABLES } from './retention-policy.ts'
import type { MixedVerdict } from './retention-verdict.ts'

export interface RemoveRowsOptions {
  readonly hooks: RemovalHooks
  readonly verdict: MixedVerdict
  readonly signal: AbortSignal
  /** Between two chunks, at least. */
  readonly pauseMs: number
  readonly onChunk: (progress: {
    readonly rows: number
    readonly doneBlocks: number
    readonly totalBlocks: number
  }) => void
}

/** 1 MiB of a table: some thousand rows a transaction, which takes some tens of milliseconds (6,000 narrow ones: 50). */
const BLOCKS = 128

/** Nothing is locked but the rows that go and, as every write does, the tables: nobody waits for it but DETACH and DROP. */
const LOCK_TIMEOUT = '2s'

/**
 * Deletes the rows of a partition that are to go, a transaction for so many blocks, each with what the hook writes. Being cut off costs nothing:
 * what is left is found again.
 */
export async function removeRows(
  client: pg.ClientBase,
  removal: RecordedRemoval,
  options: RemoveRowsOptions,
): Promise<Removed> {
  const { partition } = removal
  const { signal, pauseMs, hooks, onChunk } = options
  await client.query(`set lock_timeout = '${LOCK_TIMEOUT}'`)
  await hooks.beforeRemoval(removal, signal)
  await client.query(
    'create temporary table if not exists removed_places (place tid not null) on commit delete rows',
  )
  const { blocks: totalBlocks, bytesPerRow } = await measure(client, partition)
  let rows = 0
  for (let from = 0; from < totalBlocks; from += BLOCKS) {
    signal.throwIfAborted()
    const startedAt = performance.now()
    rows += await removeChunk(client, removal, { ...options, from, bytesPerRow })
    onChunk({ rows, doneBlocks: Math.min(from + BLOCKS, totalBlocks), totalBlocks })
    await sleep(Math.max(pauseMs, REST * (performance.now() - startedAt)), signal)
  }
  await advanceRemoval(client, removal, 'removed')
  return { rows, bytes: Math.round(rows * bytesPerRow) }
}

/** What a row takes with its indexes, by what is known of the table. */
async function measure(
  client: pg.ClientBase,
  partition: string,
): Promise<{ readonly blocks: number; readonly bytesPerRow: number }> {
  const { rows } = await client.query<{ blocks: number; bytes: number; tuples: number }>(
    `select (pg_relation_size(oid) / current_setting('block_size')::bigint)::int as blocks,
            pg_total_relation_size(oid)::float8 as bytes, reltuples::float8 as tuples
       from pg_class where oid = $1::regclass`,
    [partition],
  )
  const { blocks, bytes, tuples } = rows[0] ?? { blocks: 0, bytes: 0, tuples: 0 }
  const known = tuples > 0 ? tuples : await countRows(client, partition)
  return { blocks, bytesPerRow: known === 0 ? 0 : bytes / known }
}

async function countRows(client: pg.ClientBase, partition: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(`select count(*)::float8 as count from ${partition}`)
  return rows[0]?.count ?? 0
}

async function removeChunk(
  client: pg.ClientBase,
  removal: RecordedRemoval,
  {
    hooks,
    verdict,
    from,
    bytesPerRow,
  }: RemoveRowsOptions & { readonly from: number; readonly bytesPerRow: number },
): Promise<number> {
  const { partition } = removal
  const values: unknown[] = [`(${from},0)`, `(${from + BLOCKS},0)`]
  const goes = verdict.goesSql((value) => `$${values.push(value)}`)
  await client.query('begin')
  try {
    // Locked, so that what the hook reads is what is deleted.
    const { rowCount } = await client.query(
      `insert into pg_temp.removed_places
       select r.ctid from ${partition} r where r.ctid >= $1::tid and r.ctid < $2::tid and ${goes} for update of r`,
      values,
    )
    const rows = rowCount ?? 0
    if (rows > 0) {
      const going = `(select * from ${partition} where ctid = any (array(select place from pg_temp.removed_places)))`
      await hooks.removeRows(client, removal, going)
      await removeContents(client, removal, going)
      await client.query(
        `delete from ${partition} where ctid = any (array(select place from pg_temp.removed_places))`,
      )
      await advanceRemoval(client, removal, 'removing', { rows, bytes: Math.round(rows * bytesPerRow) })
    }
    await client.query('commit')
    return rows
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

/** Prompts and completions of the rows that go. */
async function removeContents(client: pg.ClientBase, removal: RecordedRemoval, going: string): Promise<void> {
  const contents = RETAINED_TABLES.find(({ table }) => table === removal.table)?.contents
  if (contents === undefined) return
  const { table, timeColumn } = contents
  const trace = table === 'span_contents' ? 'and c.trace_id = r.trace_id' : ''
  // The range is said of both, so that only its partitions are planned.
  await client.query(
    `delete from ${table} c using ${going} r
      where r.has_content ${trace} and c.entry_ms = r.entry_ms and c.entry_seq = r.entry_seq and c.record_index = r.record_index
        and c.${timeColumn} = r.${timeColumn}
        and c.${timeColumn} >= to_timestamp($1::float8 / 1000) and c.${timeColumn} < to_timestamp($2::float8 / 1000)`,
    [removal.fromMs, removal.toMs],
  )
}
