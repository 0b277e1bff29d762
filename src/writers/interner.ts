import type pg from 'pg'
import { classifyWriteFailure, messageOf } from '../errors.ts'
import type { Rejection } from '../models/rejection.ts'
import { CONTENT_TABLES, type ContentRow, type ContentTable } from './interned-content.ts'

export interface SeriesLimits {
  readonly maxPerMetric: number
  readonly maxPerService: number
}

/** The key of each table, and the name and type of the columns in {@link ContentRow.values}. */
const TABLES: Record<
  ContentTable,
  { readonly key: string; readonly columns: readonly (readonly [string, string])[] }
> = {
  resources: {
    key: 'resource_id',
    columns: [
      ['service', 'text'],
      ['environment', 'text'],
      ['schema_url', 'text'],
      ['attributes', 'jsonb'],
    ],
  },
  scopes: {
    key: 'scope_id',
    columns: [
      ['name', 'text'],
      ['version', 'text'],
      ['schema_url', 'text'],
      ['attributes', 'jsonb'],
    ],
  },
  metrics: {
    key: 'metric_id',
    columns: [
      ['name', 'text'],
      ['type', 'text'],
      ['unit', 'text'],
      ['description', 'text'],
      ['temporality', 'text'],
      ['is_monotonic', 'boolean'],
    ],
  },
  metric_series: {
    key: 'series_id',
    columns: [
      ['metric_id', 'bigint'],
      ['resource_id', 'bigint'],
      ['scope_id', 'bigint'],
      ['service', 'text'],
      ['attributes', 'jsonb'],
    ],
  },
}

/** At this many known ids the oldest are asked for again. */
const MAX_KNOWN = 500_000

/**
 * Sees to it that interned rows are committed before a batch refers to them.
 *
 * They go in a short transaction of their own, each table sorted by id, so that competing workers never deadlock. Their ids become
 * *known* only after that COMMIT, and every new connection empties what is known: the database behind it may have been
 * put back to an earlier time. A batch offers all the rows it refers to on every attempt, so forgetting is always safe.
 */
export class Interner {
  readonly #limits: SeriesLimits
  readonly #connections = new WeakSet<pg.ClientBase>()
  #known = new Set<bigint>()

  constructor(limits: SeriesLimits) {
    this.#limits = limits
  }

  forget(): void {
    this.#known = new Set()
  }

  /**
   * Commits those rows that PostgreSQL does not have yet, by the connection that is to write the batch: what a new connection
   * finds is thus never taken from what an old one knew.
   *
   * @param isolating whether PostgreSQL refused a row in the attempt before: then the refused ones are looked for.
   * @returns the ids that were refused: the record that refers to one must not be written.
   */
  async ensure(
    client: pg.ClientBase,
    rows: Iterable<ContentRow>,
    { isolating }: { readonly isolating: boolean },
  ): Promise<ReadonlyMap<bigint, Rejection>> {
    if (!this.#connections.has(client)) this.forget()
    this.#connections.add(client)
    const known = this.#known
    const refused = new Map<bigint, Rejection>()
    const offered = [...rows].filter(({ id }) => !known.has(id))
    if (offered.length === 0) return refused
    await client.query('begin')
    for (const table of CONTENT_TABLES) {
      const ofTable = offered.filter((row) => row.table === table)
      const admitted = table === 'metric_series' ? await this.#admit(client, ofTable, refused) : ofTable
      const insert = isolating ? insertIsolating : insertContent
      for (const [id, rejection] of await insert(client, table, admitted)) refused.set(id, rejection)
    }
    await client.query('commit')
    for (const { id } of offered) if (!refused.has(id)) known.add(id)
    if (known.size > MAX_KNOWN) this.forget()
    return refused
  }

  /**
   * Series that exist, and new ones as far as the limits of their metric and service go; concurrent workers may pass them by a batch. A
   * series is refused with the metric, resource or scope it is of.
   */
  async #admit(
    client: pg.ClientBase,
    offered: readonly ContentRow[],
    refused: Map<bigint, Rejection>,
  ): Promise<readonly ContentRow[]> {
    const series = offered.filter(({ id, seriesOf }) => {
      const ref = seriesOf?.refs.find((each) => refused.has(each))
      const rejection = ref === undefined ? undefined : refused.get(ref)
      if (rejection !== undefined) refused.set(id, rejection)
      return rejection === undefined
    })
    const existing = await existingSeries(client, series)
    const fresh = series.filter(({ id }) => !existing.has(id))
    if (fresh.length === 0) return series
    const counts = await countSeries(client, fresh)
    return series.filter(({ id, seriesOf }) => {
      if (existing.has(id)) return true
      if (seriesOf === undefined) return false
      const { metricId, metricName, service } = seriesOf
      const ofMetric = counts.metrics.get(String(metricId)) ?? 0
      const ofService = counts.services.get(service) ?? 0
      if (ofMetric >= this.#limits.maxPerMetric) {
        refused.set(id, overLimit(`Metric ${metricName}`, this.#limits.maxPerMetric, 'SERIES_MAX_PER_METRIC'))
        return false
      }
      if (ofService >= this.#limits.maxPerService) {
        refused.set(id, overLimit(`Service ${service}`, this.#limits.maxPerService, 'SERIES_MAX_PER_SERVICE'))
        return false
      }
      counts.metrics.set(String(metricId), ofMetric + 1)
      counts.services.set(service, ofService + 1)
      return true
    })
  }
}

function overLimit(what: string, limit: number, setting: string): Rejection {
  return {
    reason: 'series_limit',
    detail: `${what} already has ${limit} series: an attribute with too many values? Otherwise raise ${setting}`,
  }
}

/** @returns the ids under which other content is stored already, each with its rejection. */
async function insertContent(
  client: pg.ClientBase,
  table: ContentTable,
  rows: readonly ContentRow[],
): Promise<Map<bigint, Rejection>> {
  if (rows.length === 0) return new Map()
  const { key, columns } = TABLES[table]
  const names = columns.map(([name]) => name).join(', ')
  const arrays = columns
    .map(([, type], index) => `$${index + 2}::${type === 'jsonb' ? 'text' : type}[]`)
    .join(', ')
  const typed = columns.map(([name, type]) => `${name}::${type}`).join(', ')
  const content = (alias: string) => columns.map(([name]) => `${alias}.${name}`).join(', ')
  const result = await client.query<{ id: string }>(
    `with offered as (
       select ${key}, ${typed} from unnest($1::bigint[], ${arrays}) as o (${key}, ${names})
     ), inserted as (
       insert into ${table} (${key}, ${names}) select ${key}, ${names} from offered order by ${key}
       on conflict (${key}) do nothing
     )
     select ${key} as id from offered join ${table} stored using (${key})
      where (${content('offered')}) is distinct from (${content('stored')})`,
    [rows.map(({ id }) => id), ...columns.map((_, index) => rows.map(({ values }) => values[index]))],
  )
  const detail = (id: string) => `Other content in ${table} has the id ${id}`
  return new Map(
    result.rows.map(({ id }) => [BigInt(id), { reason: 'hash_collision', detail: detail(id) }] as const),
  )
}

/**
 * As {@link insertContent}, and rows that PostgreSQL refuses are found by halving what it refuses: k of n cost about k log n inserts. The halves, too,
 * go in the order of their ids.
 */
async function insertIsolating(
  client: pg.ClientBase,
  table: ContentTable,
  rows: readonly ContentRow[],
): Promise<Map<bigint, Rejection>> {
  const refused = new Map<bigint, Rejection>()
  const pieces = [[...rows].sort((a, b) => (a.id < b.id ? -1 : 1))]
  for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
    await client.query('savepoint content')
    try {
      for (const [id, rejection] of await insertContent(client, table, piece)) refused.set(id, rejection)
    } catch (error) {
      if (classifyWriteFailure(error) !== 'data') throw error
      await client.query('rollback to savepoint content')
      const half = piece.length >> 1
      if (half > 0) pieces.push(piece.slice(half), piece.slice(0, half))
      else
        for (const { id } of piece)
          refused.set(id, { reason: 'refused_by_database', detail: messageOf(error) })
    }
    await client.query('release savepoint content')
  }
  return refused
}

async function existingSeries(client: pg.ClientBase, series: readonly ContentRow[]): Promise<Set<bigint>> {
  if (series.length === 0) return new Set()
  const { rows } = await client.query<{ id: string }>(
    `select series_id as id from metric_series where series_id = any($1::bigint[])`,
    [series.map(({ id }) => id)],
  )
  return new Set(rows.map(({ id }) => BigInt(id)))
}

async function countSeries(
  client: pg.ClientBase,
  series: readonly ContentRow[],
): Promise<{ metrics: Map<string, number>; services: Map<string, number> }> {
  const metrics = await client.query<{ key: string; count: number }>(
    `select metric_id::text as key, count(*)::int as count from metric_series
      where metric_id = any($1::bigint[]) group by metric_id`,
    [[...new Set(series.map(({ seriesOf }) => seriesOf?.metricId))]],
  )
  const services = await client.query<{ key: string; count: number }>(
    `select service as key, count(*)::int as count from metric_series where service = any($1::text[]) group by service`,
    [[...new Set(series.map(({ seriesOf }) => seriesOf?.service))]],
  )
  return {
    metrics: new Map(metrics.rows.map(({ key, count }) => [key, count])),
    services: new Map(services.rows.map(({ key, count }) => [key, count])),
  }
}
