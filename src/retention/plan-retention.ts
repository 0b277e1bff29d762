import type pg from 'pg'
import { listPartitions } from './list-partitions.ts'
import { overlaps, type PartitionRange } from './partition-range.ts'
import type { PartitionedTable } from './partitions.ts'
import { lastRowRemovals, type NewRemoval, type RecordedRemoval } from './removals.ts'
import { RETAINED_TABLES, type RetainedTable, type RetentionPolicy } from './retention-policy.ts'
import { type MixedVerdict, verdictOn } from './retention-verdict.ts'

/** A removal that is due, with the condition on its rows where not all of them go. */
export type DueRemoval = NewRemoval & { readonly verdict: MixedVerdict | undefined }

export interface PlanOptions {
  readonly policy: RetentionPolicy
  readonly nowMs: number
}

/**
 * Rows that come late to a partition whose rows were gone through are looked for a day later: then it is read once a day at most, however many come, and they
 * stay for a day more.
 */
const REPEAT_AFTER_MS = 86_400_000

/** What is due now: partitions first, of all tables, the oldest of each first. Changes nothing. */
export async function planRetention(
  client: Pick<pg.ClientBase, 'query'>,
  options: PlanOptions,
): Promise<readonly DueRemoval[]> {
  const planned: DueRemoval[] = []
  const staying = new Map<PartitionedTable, readonly PartitionRange[]>()
  for (const retained of RETAINED_TABLES) {
    const { table } = retained
    const partitions = await readPartitions(client, table)
    const due = await dueRemovals(client, retained, { partitions, staying, ...options })
    planned.push(...due)
    const going = new Set(due.filter(({ kind }) => kind === 'partition').map(({ partition }) => partition))
    staying.set(
      table,
      partitions.filter(({ partition }) => !going.has(partition)),
    )
  }
  return planned.sort((a, b) => Number(a.kind === 'rows') - Number(b.kind === 'rows'))
}

interface PartitionState extends PartitionRange {
  readonly partition: string
  readonly isDetaching: boolean
  /** Rows that were ever written to it, as far as the statistics know. */
  readonly inserted: bigint
  /** When an archive was restored into it last, in unix milliseconds. */
  readonly restoredMs: number | undefined
}

const STATES = `
  with restored as (select into_oid, max(restored_at) as at from archives, unnest(restored_into) as into_oid group by into_oid)
  select format('%I.%I', n.nspname, c.relname) as partition, pg_stat_get_tuples_inserted(c.oid) as inserted,
         extract(epoch from restored.at)::float8 * 1000 as "restoredMs"
    from unnest($1::text[]) with ordinality as p (name, position)
    left join (pg_class c join pg_namespace n on n.oid = c.relnamespace) on c.oid = to_regclass(p.name)
    left join restored on restored.into_oid = c.oid
   order by p.position`

async function readPartitions(
  client: Pick<pg.ClientBase, 'query'>,
  table: PartitionedTable,
): Promise<readonly PartitionState[]> {
  const partitions = (await listPartitions(client, table)).toReversed()
  const { rows } = await client.query<{
    partition: string | null
    inserted: string | null
    restoredMs: number | null
  }>(STATES, [partitions.map(({ name }) => name)])
  return partitions.flatMap(({ fromMs, toMs, isDetaching }, index) => {
    const { partition, inserted, restoredMs } = rows[index] ?? {}
    // Dropped by somebody else in the meantime.
    if (!partition) return []
    const state = { partition, inserted: BigInt(inserted ?? 0), restoredMs: restoredMs ?? undefined }
    return [{ fromMs, toMs, isDetaching, ...state }]
  })
}

async function dueRemovals(
  client: Pick<pg.ClientBase, 'query'>,
  { table, signal, follows }: RetainedTable,
  context: PlanOptions & {
    readonly partitions: readonly PartitionState[]
    readonly staying: ReadonlyMap<PartitionedTable, readonly PartitionRange[]>
  },
): Promise<readonly DueRemoval[]> {
  const { partitions, staying } = context
  const gone = await lastRowRemovals(
    client,
    partitions.map(({ partition }) => partition),
  )
  const followed = follows === undefined ? [] : (staying.get(follows) ?? [])
  return partitions.flatMap(({ inserted, isDetaching, restoredMs = 0, ...range }): DueRemoval[] => {
    // Finished by whoever began it.
    if (isDetaching) return []
    // What was restored was wanted back: its days are counted from then.
    const verdict = verdictOn(signal, { ...range, toMs: Math.max(range.toMs, restoredMs) }, context)
    const common = { signal, table, partition: range.partition, fromMs: range.fromMs, toMs: range.toMs }
    if (verdict === 'keep' || followed.some((other) => overlaps(other, range))) return []
    if (verdict === 'remove') return [{ kind: 'partition', ...common, rules: undefined, verdict: undefined }]
    if (follows !== undefined || wasGoneThrough(gone.get(range.partition), { inserted, verdict, ...context }))
      return []
    return [{ kind: 'rows', ...common, rules: verdict.text, insertedBefore: inserted, verdict }]
  })
}

/** Statistics can be lost, and come late: then the partition is gone through once more, never once less. */
function wasGoneThrough(
  last: RecordedRemoval | undefined,
  now: { readonly inserted: bigint; readonly verdict: MixedVerdict; readonly nowMs: number },
): boolean {
  if (last === undefined || last.rules !== now.verdict.text) return false
  return last.insertedBefore === now.inserted || now.nowMs - (last.finishedAtMs ?? 0) < REPEAT_AFTER_MS
}
