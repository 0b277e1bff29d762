import type { MinuteRange } from '../../retention/rollups/changed-minutes.ts'
import { sketchedColumns } from '../../retention/rollups/rollup.ts'
import { minuteRowsSql, sketchedSql } from '../../retention/rollups/rollup-sql.ts'
import {
  beforeSql,
  type FilterColumns,
  microseconds,
  type RecordFilter,
  TEXT_WORDS,
  whereSql,
} from '../filter.ts'
import type { Grouping } from '../grouped-query.ts'
import { rateSql } from '../rate-sql.ts'
import type { SqlQuery } from '../stream-rows.ts'
import { MINUTE_NANOS, type NanoRange, type Pieces } from './plan-pieces.ts'
import type { RolledSource } from './rolled-source.ts'

/** The conditions of a filter that are no texts, with the columns that they ask. */
const CONDITIONS = [
  ['traceId', 'traceId'],
  ['spanId', 'spanId'],
  ['minSeverityNumber', 'severityNumber'],
  ['status', 'statusCode'],
  ['kind', 'kindCode'],
  ['minDuration', 'durationNs'],
  ['maxDuration', 'durationNs'],
  ['attributes', 'attributes'],
  ['fullText', 'body'],
  ['contains', 'body'],
] as const satisfies readonly (readonly [keyof RecordFilter, keyof FilterColumns])[]

/** Whether rollups know all that a question asks. @param asked the columns of the view. */
export function knowRollups(
  { columns, groups }: RolledSource,
  { filter, by, step, asked }: Grouping & { readonly filter: RecordFilter; readonly asked: FilterColumns },
): boolean {
  if (filter.after !== undefined || filter.cameAfter !== undefined || filter.cameBefore !== undefined)
    return false
  const texts = TEXT_WORDS.every(
    (word) =>
      filter[word] === undefined || asked.texts[word] === undefined || columns.texts[word] !== undefined,
  )
  const others = CONDITIONS.every(
    ([word, column]) =>
      filter[word] === undefined || asked[column] === undefined || columns[column] !== undefined,
  )
  const groupsKnown = by.every((word) => groups[word] !== undefined)
  return texts && others && groupsKnown && (step === undefined || step % MINUTE_NANOS === 0n)
}

export interface RolledQuestion extends Grouping {
  readonly filter: RecordFilter
  readonly pieces: Pieces
  /** All there are, where they are few. */
  readonly services: readonly string[] | undefined
}

/**
 * As `groupedQuery`, from rollups and, where these do not have it, from rows. The quantiles are null; in three columns for each comes what {@link withQuantiles} makes them of: the
 * sketch, the least and the greatest value.
 */
export function rolledQuery(source: RolledSource, question: RolledQuestion): SqlQuery {
  const { only, columns, groups, measures, rateOf, quantiles, order } = source
  const { by, step, filter } = question
  const { from: _, to: __, ...conditions } = filter
  const { where, values } = whereSql(conditions, columns)
  const parameter = (value: unknown) => `$${values.push(value)}`
  const words = by.map((word) => groups[word] ?? 'null')
  const width = step === undefined ? undefined : parameter(step)
  const time = width && `div(extract(epoch from bucket) * 1000000000, ${width}) * ${width}`
  const keys = [...(time === undefined ? [] : [time]), ...words]
  const members = [
    ...(time === undefined ? [] : [`'timeUnixNano', (${time})::text`]),
    ...by.map((word, index) => `'${word}', ${words[index]}`),
    ...(rateOf === undefined ? [] : [rateSql(rateOf, { ...question, ...filter, time, width, parameter })]),
    measures,
    ...Object.keys(quantiles).map((member) => `'${member}', null`),
  ]
  const sketches = Object.values(quantiles).flatMap((name) => [
    `sum(${name}_sketch)::text`,
    `min(${name}_min)::text`,
    `max(${name}_max)::text`,
  ])
  const text = `
    select ${[`jsonb_build_object(${members.join(', ')})::text`, ...sketches].join(', ')}
    from (${piecesSql(source, question, parameter)}) as pieces ${where} and ${only}
    ${keys.length === 0 ? '' : `group by ${keys.join(', ')} having sum(count) > 0`}
    order by ${[...(time === undefined ? [] : [time]), order, ...words].join(', ')} limit ${parameter(filter.limit)}`
  return { text, values }
}

/** SQL of all rollups of the question, each with the beginning of its time as `bucket`. */
function piecesSql(
  { rollup }: RolledSource,
  { pieces, services }: RolledQuestion,
  parameter: (value: unknown) => string,
): string {
  const ofRanges = (column: string, ranges: readonly MinuteRange[]) => inRangesSql(column, ranges, parameter)
  const sketched = sketchedColumns(rollup).join(', ')
  const ofMinutes = `minute as bucket, ${sketchedSql(rollup)}`
  const selects: string[] = []
  if (pieces.days.length > 0)
    selects.push(
      `select day as bucket, ${sketched} from ${rollup.days} where ${ofRanges('day', pieces.days)}`,
    )
  if (pieces.hours.length > 0)
    selects.push(
      `select hour as bucket, ${sketched} from ${rollup.hours} where ${ofRanges('hour', pieces.hours)}`,
    )
  if (pieces.minutes.length > 0)
    selects.push(`select ${ofMinutes} from ${rollup.minutes} where ${ofRanges('minute', pieces.minutes)}`)
  if (pieces.changed.length > 0)
    selects.push(
      `select ${ofMinutes} from ${rollup.minutes} where removal_id <> 0 and (${ofRanges('minute', pieces.changed)})`,
    )
  const ofServices =
    services === undefined || pieces.rows.length === 0 ? 'true' : `s.service = any(${parameter(services)})`
  const inRange = ({ from, to }: NanoRange) =>
    `${ofServices} and s.${rollup.time} >= ${parameter(microseconds(from))}::timestamptz
     and s.${rollup.time} ${beforeSql(to)} ${parameter(microseconds(to))}::timestamptz
     and s.${rollup.timeUnixNano} >= ${parameter(from)}::bigint and s.${rollup.timeUnixNano} < ${parameter(to)}::bigint`
  for (const range of pieces.rows)
    selects.push(
      `select ${ofMinutes} from (${minuteRowsSql(rollup, rollup.table, inRange(range))}) as rolled`,
    )
  return selects.join(' union all ')
}

/** SQL of whether a time is in any of the ranges. */
export function inRangesSql(
  column: string,
  ranges: readonly MinuteRange[],
  parameter: (value: unknown) => string,
): string {
  return ranges
    .map(
      ({ from, to }) =>
        `(${column} >= ${parameter(timeOf(from))}::timestamptz and ${column} < ${parameter(timeOf(to))}::timestamptz)`,
    )
    .join(' or ')
}

/** Of minutes since 1970, as PostgreSQL takes it. */
function timeOf(minute: number): string {
  return Number.isFinite(minute) ? new Date(minute * 60_000).toISOString() : `${minute}`.toLowerCase()
}
