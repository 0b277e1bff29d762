import type { TelemetrySignal } from '../models/telemetry-signal.ts'
import { type FilterColumns, type RecordFilter, whereSql } from './filter.ts'
import { rateSql } from './rate-sql.ts'
import type { RolledSource } from './rollups/rolled-source.ts'
import type { SqlQuery } from './stream-rows.ts'

/** What of a view is counted and measured, and by what it can be grouped. */
export interface GroupedSource {
  readonly signal: TelemetrySignal
  readonly view: string
  readonly columns: FilterColumns
  /** The word for each group, and its column. */
  readonly groups: Readonly<Record<string, string>>
  /** SQL of the members of the result, `'calls', count(*), …`. */
  readonly measures: string
  /** The columns of CSV of these. */
  readonly csv: readonly string[]
  /** SQL of how many there are, where it is told how many that is by the second. */
  readonly rateOf?: string
  /** SQL of what is wanted first. */
  readonly order: string
  /** Where rollups can answer. */
  readonly rolled?: RolledSource
}

/** How the records that match are put together. */
export interface Grouping {
  /** Words of `GroupedSource.groups`. */
  readonly by: readonly string[]
  /** Nanoseconds of the time that one result is of; undefined for all of it. */
  readonly step: bigint | undefined
  /** Unix nanoseconds at which a time range without an end ends for a rate; without it such a rate is of whole steps. */
  readonly now?: bigint
}

/** The columns of CSV of the rows of {@link groupedQuery}. */
export function groupedCsv({ csv }: Pick<GroupedSource, 'csv'>, { by, step }: Grouping): readonly string[] {
  return [...(step === undefined ? [] : ['timeUnixNano']), ...by, ...csv]
}

const PERCENTS = [50, 90, 95, 99]

/** The columns of CSV of {@link quantiles}. */
export function quantilesCsv(member: string): readonly string[] {
  return PERCENTS.map((percent) => `${member}.p${percent}`)
}

/**
 * One row a group with one column, JSON text `{time, …groups, …measures}`; `time` is the beginning of its step in unix nanoseconds. Those of one time
 * together, the oldest first, of these what is wanted first, and else by the groups.
 */
export function groupedQuery(source: GroupedSource, filter: RecordFilter, grouping: Grouping): SqlQuery {
  const { columns, groups, measures, view, order, rateOf } = source
  const { by, step } = grouping
  const { where, values } = whereSql(filter, columns)
  const names = by.map((word) => groups[word] ?? 'null')
  const members = by.map((word, index) => `'${word}', ${names[index]}, `).join('')
  const parameter = (value: unknown) => `$${values.push(value)}`
  const width = step === undefined ? undefined : parameter(step)
  const time = width && `div(${columns.timeUnixNano}::numeric, ${width}) * ${width}`
  const rate =
    rateOf === undefined ? '' : `${rateSql(rateOf, { ...grouping, ...filter, time, width, parameter })}, `
  const keys = [...(time === undefined ? [] : [time]), ...names]
  const groupBy = keys.length === 0 ? '' : `group by ${keys.join(', ')}`
  const text = `
    select jsonb_build_object(${time === undefined ? '' : `'timeUnixNano', (${time})::text, `}${members}${rate}${measures})::text
    from ${view} ${where} ${groupBy}
    order by ${[...(time === undefined ? [] : [time]), order, ...names].join(', ')} limit ${parameter(filter.limit)}`
  return { text, values }
}

/**
 * SQL of the quantiles of a column, as an object; null where there is no value. They are told as rollups know them: within 2 % of the value, and
 * never beyond the least and the greatest one.
 */
export function quantiles(column: string): string {
  const members = PERCENTS.map((percent) => {
    const exact = `percentile_disc(${percent / 100}) within group (order by ${column})`
    return `'p${percent}', greatest(min(${column}), least(max(${column}), sketch_value(sketch_bucket(${exact}))))`
  })
  return `case when count(${column}) > 0 then jsonb_build_object(${members.join(', ')}) end`
}
