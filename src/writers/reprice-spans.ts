import type pg from 'pg'
import { ObservatoryError } from '../errors.ts'
import { isModelCall } from '../models/model-call.ts'
import { dollarsOf, picodollarsOf } from '../models/prices/call-cost.ts'
import type { PriceList } from '../models/prices/price-list.ts'
import { listPartitions, type Partition } from '../retention/list-partitions.ts'
import { tryToLockReprice } from '../retention/reprice-lock.ts'
import { markChanged } from '../retention/rollups/changed-minutes.ts'

const MINUTE_MS = 60_000

export interface RepriceOptions {
  readonly prices: PriceList
  /** Starts of the spans, in unix milliseconds; `toMs` is exclusive. */
  readonly fromMs: number
  readonly toMs: number
  /** Only says what would be done. */
  readonly dryRun: boolean
  /** Aborting ends it between two transactions: what is done stays done. */
  readonly signal: AbortSignal
  /** Told after each transaction. */
  readonly onProgress: (
    progress: Repriced & { readonly doneBlocks: number; readonly totalBlocks: number },
  ) => void
}

/** Calls whose cost is not their sender's. */
export interface Repriced {
  readonly calls: number
  readonly changed: number
  readonly withoutPrice: number
  /** Of all of them, in picodollars. */
  readonly costBefore: bigint
  readonly costAfter: bigint
}

/** 8 MiB of a table: some ten thousand spans a transaction. */
const BLOCKS = 1024

/**
 * Computes the cost of stored calls anew, by the prices of now for the time they were made. A cost that was sent stays, and so does one whose price is not known now.
 *
 * It goes through each partition by its blocks, a transaction for so many: running it again, also after it was cut off, changes only what is not right
 * yet. One at a time, by an advisory lock.
 *
 * @throws ObservatoryError ERR_USAGE when another one is running; what pg throws; the `signal`'s reason.
 */
export async function repriceSpans(client: pg.ClientBase, options: RepriceOptions): Promise<Repriced> {
  await lock(client)
  const tables = await tablesIn(client, options)
  const totalBlocks = tables.reduce((sum, { blocks }) => sum + blocks, 0)
  let total: Repriced = { calls: 0, changed: 0, withoutPrice: 0, costBefore: 0n, costAfter: 0n }
  let doneBlocks = 0
  for (const { name, blocks } of tables) {
    for (let from = 0; from < blocks; from += BLOCKS) {
      options.signal.throwIfAborted()
      total = add(total, await repriceBlocks(client, { name, from }, options))
      doneBlocks += Math.min(BLOCKS, blocks - from)
      options.onProgress({ ...total, doneBlocks, totalBlocks })
    }
  }
  return total
}

async function lock(client: pg.ClientBase): Promise<void> {
  if (!(await tryToLockReprice(client)))
    throw new ObservatoryError('ERR_USAGE', 'Another reprice is running on this database; wait for its end')
}

interface TableBlocks extends Partition {
  readonly blocks: number
}

async function tablesIn(client: pg.ClientBase, { fromMs, toMs }: RepriceOptions): Promise<TableBlocks[]> {
  const partitions = await listPartitions(client, 'spans')
  const wanted = partitions.filter((partition) => partition.fromMs < toMs && fromMs < partition.toMs)
  const { rows } = await client.query<{ blocks: number }>(
    `select (pg_relation_size(name::regclass) / current_setting('block_size')::bigint)::int as blocks
       from unnest($1::text[]) with ordinality as p (name, position) order by position`,
    [wanted.map(({ name }) => name)],
  )
  return wanted.map((partition, index) => ({ ...partition, blocks: rows[index]?.blocks ?? 0 }))
}

interface CallRow {
  readonly ctid: string
  readonly start_ms: number
  readonly operation: string | null
  readonly provider: string | null
  readonly request_model: string | null
  readonly response_model: string | null
  readonly input_tokens: string | null
  readonly output_tokens: string | null
  readonly cached_tokens: string | null
  readonly cache_creation_tokens: string | null
  readonly reasoning_tokens: string | null
  readonly cost: string | null
}

/** Nobody else changes rows, so one is still where it was read: its partition cannot be dropped before the end of the transaction. */
async function repriceBlocks(
  client: pg.ClientBase,
  { name, from }: { readonly name: string; readonly from: number },
  { prices, fromMs, toMs, dryRun }: RepriceOptions,
): Promise<Repriced> {
  await client.query('begin')
  const { rows } = await client.query<CallRow>(
    `select ctid, floor(start_time_unix_nano / 1000000.0)::float8 as start_ms, operation, provider, request_model,
            response_model, input_tokens, output_tokens, cached_tokens, cache_creation_tokens, reasoning_tokens,
            trim_scale(cost)::text as cost
       from ${name}
      where ctid >= $1::tid and ctid < $2::tid
        and start_time >= to_timestamp($3::float8 / 1000) and start_time < to_timestamp($4::float8 / 1000)
        and (input_tokens is not null or output_tokens is not null)
        and (cost is null or cost_is_computed)`,
    [`(${from},0)`, `(${from + BLOCKS},0)`, fromMs, toMs],
  )
  const changed: { ctid: string; cost: string }[] = []
  const minutes = new Set<number>()
  const total = { calls: 0, withoutPrice: 0, costBefore: 0n, costAfter: 0n }
  for (const row of rows) {
    const names = namesOf(row)
    if (!isModelCall(names)) continue
    const picodollars = prices.costOf(names, tokensOf(row), row.start_ms)
    const before = picodollarsOf(row.cost ?? '0')
    total.calls += 1
    total.costBefore += before
    total.costAfter += picodollars === undefined ? before : BigInt(picodollars)
    // A price that is in no list any more, or in one that was not given, was one all the same.
    if (picodollars === undefined) total.withoutPrice += 1
    else if (dollarsOf(picodollars) !== row.cost) {
      changed.push({ ctid: row.ctid, cost: dollarsOf(picodollars) })
      minutes.add(Math.floor(row.start_ms / MINUTE_MS))
    }
  }
  if (changed.length > 0 && !dryRun) {
    await update(client, name, changed)
    await markChanged(client, 'traces', minutes)
  }
  await client.query('commit')
  return { ...total, changed: changed.length }
}

async function update(
  client: pg.ClientBase,
  name: string,
  changed: readonly { readonly ctid: string; readonly cost: string }[],
): Promise<void> {
  await client.query(
    `update ${name} s set cost = n.cost, cost_is_computed = true
       from unnest($1::tid[], $2::numeric[]) as n (place, cost) where s.ctid = n.place`,
    [changed.map(({ ctid }) => ctid), changed.map(({ cost }) => cost)],
  )
}

function namesOf(row: CallRow) {
  return {
    operation: row.operation ?? undefined,
    provider: row.provider ?? undefined,
    requestModel: row.request_model ?? undefined,
    responseModel: row.response_model ?? undefined,
  }
}

function tokensOf(row: CallRow) {
  const count = (text: string | null) => (text === null ? undefined : BigInt(text))
  return {
    input: count(row.input_tokens),
    output: count(row.output_tokens),
    cached: count(row.cached_tokens),
    cacheCreation: count(row.cache_creation_tokens),
    reasoning: count(row.reasoning_tokens),
  }
}

function add(a: Repriced, b: Repriced): Repriced {
  return {
    calls: a.calls + b.calls,
    changed: a.changed + b.changed,
    withoutPrice: a.withoutPrice + b.withoutPrice,
    costBefore: a.costBefore + b.costBefore,
    costAfter: a.costAfter + b.costAfter,
  }
}
