import type pg from 'pg'
import { attributesNameSql, type ErasedPerson } from './erased-person.ts'

/** Tables that are looked through, as SQL takes them: those of the database, or what was loaded of an archive. */
export type MarkedTables = Readonly<Partial<Record<MarkedTable, string>>>

type MarkedTable = 'resources' | 'metric_series' | 'spans' | 'span_contents' | 'log_records' | 'evaluations'

/** Those of the database. */
export const LIVE_TABLES: MarkedTables = {
  resources: 'resources',
  metric_series: 'metric_series',
  spans: 'spans',
  span_contents: 'span_contents',
  log_records: 'log_records',
  evaluations: 'evaluations',
}

const OF_RESOURCE = 'r.resource_id in (select resource_id from erasing_resources)'
const RECORD = 'entry_ms, entry_seq, record_index'

/** What names a user or a session; $1 and $2 as in {@link attributesNameSql}. In this order: what is of a resource is found by it. */
const NAMED: Readonly<Partial<Record<MarkedTable, (relation: string) => string>>> = {
  resources: (relation) => `
    insert into erasing_resources
    select r.resource_id from ${relation} r where ${attributesNameSql('r.attributes')}
    on conflict do nothing`,
  metric_series: (relation) => `
    insert into erasing_series
    select r.series_id from ${relation} r where ${attributesNameSql('r.attributes')} or ${OF_RESOURCE}
    on conflict do nothing`,
  spans: (relation) => `
    insert into erasing_traces
    select distinct r.trace_id from ${relation} r
     where r.user_id = any($1::text[]) or r.session_id = any($2::text[]) or ${attributesNameSql('r.attributes')} or ${OF_RESOURCE}
    on conflict do nothing`,
  log_records: (relation) =>
    recordsAndTraces(relation, `'logs'`, `${attributesNameSql('r.attributes')} or ${OF_RESOURCE}`),
  evaluations: (relation) =>
    recordsAndTraces(
      relation,
      'r.signal',
      `r.session_id = any($2::text[]) or ($1::text[] is not null and ${OF_RESOURCE})`,
    ),
}

function recordsAndTraces(relation: string, signal: string, condition: string): string {
  return `
    with named as materialized (
      select ${signal} as signal, r.time, r.entry_ms, r.entry_seq, r.record_index, r.trace_id from ${relation} r where ${condition}
    ), traces as (
      insert into erasing_traces select distinct trace_id from named where trace_id is not null on conflict do nothing
    )
    insert into erasing_records (signal, time, ${RECORD})
    select distinct signal, time, ${RECORD} from named on conflict do nothing`
}

const OF_TRACE = 'r.trace_id in (select trace_id from erasing_traces)'

/** What is of a trace that goes. In this order: evaluations name an answer, where they do not name its span. */
const OF_TRACES: Readonly<Partial<Record<MarkedTable, (relation: string) => string>>> = {
  spans: (relation) => `
    with found as materialized (
      select r.start_time as time, r.entry_ms, r.entry_seq, r.record_index, r.response_id from ${relation} r where ${OF_TRACE}
    ), responses as (
      insert into erasing_responses select distinct response_id from found where response_id is not null on conflict do nothing
    )
    insert into erasing_records (signal, time, ${RECORD})
    select distinct 'traces', time, ${RECORD} from found on conflict do nothing`,
  span_contents: (relation) =>
    records(relation, { signal: `'traces'`, time: 'r.start_time', where: OF_TRACE }),
  log_records: (relation) => records(relation, { signal: `'logs'`, time: 'r.time', where: OF_TRACE }),
  evaluations: (relation) =>
    records(relation, {
      signal: 'r.signal',
      time: 'r.time',
      where: `${OF_TRACE} or r.response_id in (select response_id from erasing_responses)`,
    }),
}

function records(
  relation: string,
  { signal, time, where }: { readonly signal: string; readonly time: string; readonly where: string },
): string {
  return `
    insert into erasing_records (signal, time, ${RECORD})
    select distinct ${signal}, ${time}, r.entry_ms, r.entry_seq, r.record_index from ${relation} r where ${where}
    on conflict do nothing`
}

/** Marks what the ids of the person are given by themselves: traces. */
export async function markGiven(client: pg.ClientBase, { traceIds }: ErasedPerson): Promise<void> {
  await client.query('insert into erasing_traces select unnest($1::uuid[]) on conflict do nothing', [
    traceIds,
  ])
}

/** Marks what names a user or a session of the person, and the traces that it is of. */
export async function markNamed(
  client: pg.ClientBase,
  { users, sessions }: ErasedPerson,
  tables: MarkedTables,
): Promise<void> {
  if (users.length + sessions.length === 0) return
  for (const [table, sql] of Object.entries(NAMED)) {
    const relation = tables[table as MarkedTable]
    if (relation !== undefined) await client.query(sql(relation), [users, sessions])
  }
}

/** Marks all records of the traces that are marked, and the evaluations of them. */
export async function markOfTraces(client: pg.ClientBase, tables: MarkedTables): Promise<void> {
  for (const [table, sql] of Object.entries(OF_TRACES)) {
    const relation = tables[table as MarkedTable]
    if (relation !== undefined) await client.query(sql(relation))
  }
}
