import type pg from 'pg'
import type { PartitionRange } from '../partition-range.ts'
import type { PartitionedTable } from '../partitions.ts'
import { attributesNameSql } from './erased-person.ts'

/** The signal of the marks that rows of a table go by, and their time. Points go by their series. */
const MARKS: Readonly<
  Record<Exclude<PartitionedTable, 'metric_points'>, { readonly signal: string; readonly time: string }>
> = {
  spans: { signal: `'traces'`, time: 'start_time' },
  span_contents: { signal: `'traces'`, time: 'start_time' },
  log_records: { signal: `'logs'`, time: 'time' },
  log_contents: { signal: `'logs'`, time: 'time' },
  evaluations: { signal: 'r.signal', time: 'time' },
}

/** SQL of whether a row `r` of a table is marked. */
export function isMarkedSql(table: PartitionedTable): string {
  if (table === 'metric_points') return 'r.series_id in (select series_id from erasing_series)'
  const { signal, time } = MARKS[table]
  return `exists (select from erasing_records g where g.signal = ${signal} and g.time = r.${time}
    and g.entry_ms = r.entry_ms and g.entry_seq = r.entry_seq and g.record_index = r.record_index)`
}

/** Whether anything is marked that rows of a table and time range may be. */
export async function hasMarks(
  client: Pick<pg.ClientBase, 'query'>,
  table: PartitionedTable,
  { fromMs, toMs }: PartitionRange,
): Promise<boolean> {
  if (table === 'metric_points') {
    const { rows } = await client.query('select from erasing_series limit 1')
    return rows.length > 0
  }
  const { signal } = MARKS[table]
  const { rows } = await client.query(
    `select from erasing_records r where r.signal = ${signal} and r.time >= $1 and r.time < $2 limit 1`,
    [new Date(fromMs), new Date(toMs)],
  )
  return rows.length > 0
}

/** Exemplars name traces, and may bear attributes that their series has not. $1 and $2 as in {@link attributesNameSql}. */
const EXEMPLAR_GOES = `coalesce(x ->> 'traceId' in (select replace(trace_id::text, '-', '') from erasing_traces), false)
  or ${attributesNameSql(`(x -> 'filteredAttributes')`)}`

/** SQL of whether a data point `r` has exemplars that go. */
export const HAS_MARKED_EXEMPLARS = `r.exemplars is not null and exists (
  select from jsonb_array_elements(r.exemplars) as e (x) where ${EXEMPLAR_GOES})`

/** SQL of the exemplars of a data point `r` that stay. */
export const KEPT_EXEMPLARS = `(
  select jsonb_agg(x order by n) from jsonb_array_elements(r.exemplars) with ordinality as e (x, n) where not (${EXEMPLAR_GOES}))`
