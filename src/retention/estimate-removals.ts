import type pg from 'pg'
import { type DueRemoval, type PlanOptions, planRetention } from './plan-retention.ts'
import type { Removal } from './removal-hooks.ts'
import { unfinishedRemovals } from './removals.ts'

/** A removal that a run would make now. */
export interface EstimatedRemoval extends Omit<Removal, 'removalId'> {
  readonly rows: number
  /** Whether the rows are what PostgreSQL's statistics say; else they were counted. */
  readonly isEstimate: boolean
  readonly bytes: number
}

/** What a run would remove, one after the other, in its order. Changes nothing; rows that rules let go are counted, which reads their partitions. */
export async function* estimateRemovals(
  client: Pick<pg.ClientBase, 'query'>,
  { signal, ...options }: PlanOptions & { readonly signal: AbortSignal },
): AsyncGenerator<EstimatedRemoval> {
  const due = await planRetention(client, options)
  for (const begun of await unfinishedRemovals(client)) {
    if (begun.kind !== 'partition' || due.some(({ partition }) => partition === begun.partition)) continue
    const estimated = await estimate(client, { ...begun, verdict: undefined })
    if (estimated !== undefined) yield estimated
  }
  for (const removal of due) {
    signal.throwIfAborted()
    const estimated = await estimate(client, removal)
    if (estimated !== undefined) yield estimated
  }
}

async function estimate(
  client: Pick<pg.ClientBase, 'query'>,
  { verdict, kind, signal, table, partition, fromMs, toMs, rules }: DueRemoval,
): Promise<EstimatedRemoval | undefined> {
  const { rows: found } = await client.query<{ bytes: number; tuples: number }>(
    `select pg_total_relation_size(oid)::float8 as bytes, reltuples::float8 as tuples from pg_class where oid = to_regclass($1)`,
    [partition],
  )
  const [state] = found
  if (state === undefined) return undefined
  const { bytes, tuples } = state
  const removal = { kind, signal, table, partition, fromMs, toMs, rules }
  if (verdict === undefined) {
    const isEstimate = tuples >= 0
    return { ...removal, rows: isEstimate ? tuples : await count(client, partition), isEstimate, bytes }
  }
  const values: unknown[] = []
  const rows = await count(client, partition, {
    where: verdict.goesSql((value) => `$${values.push(value)}`),
    values,
  })
  const all = tuples > 0 ? tuples : await count(client, partition)
  return {
    ...removal,
    rows,
    isEstimate: false,
    bytes: all === 0 ? 0 : Math.round((bytes * Math.min(rows, all)) / all),
  }
}

async function count(
  client: Pick<pg.ClientBase, 'query'>,
  partition: string,
  { where, values }: { readonly where: string; readonly values: unknown[] } = { where: 'true', values: [] },
): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::float8 as count from ${partition} r where ${where}`,
    values,
  )
  return rows[0]?.count ?? 0
}
