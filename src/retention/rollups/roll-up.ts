import type pg from 'pg'
import { coarse, type MinuteRange, multirange, parseMultirange, within } from './changed-minutes.ts'
import { listServices } from './list-services.ts'
import { rollUpMetrics } from './metrics/roll-up-metrics.ts'
import { type MetricRollup, minuteColumns, type Rollup, sketchedColumns } from './rollup.ts'
import { mergedRowsSql, minuteRowsSql, sketchedSql } from './rollup-sql.ts'

/** What one transaction has rolled up. */
export interface RolledUp {
  /** Minutes that were rolled up, and those that are still to be, as far as they are over. */
  readonly minutes: number
  readonly left: number
}

/** Ranges of minutes of an hour that are read on their own: past it, also what lies between them. */
const RANGES_OF_AN_HOUR = 4
/** Above so many changes some are put together: those that wait for their time to be over, for one. */
const MAX_CHANGES = 1000
const MINUTES_OF_A_DAY = 1440

/**
 * Rolls up what has changed in one hour, the newest that has changes and is over: in a transaction, by one snapshot, so that rollups and what {@link markChanged} has said are always those
 * of the same rows. What commits meanwhile stays pending.
 *
 * @param before minutes since 1970: those before it are over. Of metrics, hours that are over are rolled up, whole.
 */
export async function rollUpNewestHour(
  client: pg.ClientBase,
  rollup: Rollup | MetricRollup,
  before: number,
): Promise<RolledUp> {
  await client.query('begin isolation level repeatable read')
  const until = 'keys' in rollup ? before : Math.floor(before / 60) * 60
  const pending = await readPending(client, rollup, until)
  const compact = pending.changes > MAX_CHANGES
  const last = pending.ranges.at(-1)
  if (last === undefined) {
    if (compact) await settle(client, rollup, { ranges: [], compact })
    await client.query('commit')
    return { minutes: 0, left: 0 }
  }
  const hour = Math.floor((last.to - 1) / 60) * 60
  const ofHour = within(pending.ranges, { from: hour, to: hour + 60 })
  const ranges = coarse(ofHour, RANGES_OF_AN_HOUR)
  if ('keys' in rollup) await rollUpRows(client, rollup, { hour, ranges })
  else await rollUpMetrics(client, hour)
  await settle(client, rollup, { ranges, compact })
  await client.query('commit')
  const minutes = count(ofHour)
  return { minutes, left: count(pending.ranges) - minutes }
}

async function readPending(client: pg.ClientBase, { signal }: Pick<Rollup, 'signal'>, before: number) {
  const { rows } = await client.query<{ changes: number; pending: string | null }>(
    `select count(*)::int as changes, (range_agg(pending) * int4multirange(int4range(null, $2)))::text as pending
       from changed_minutes where signal = $1 and pending is not null`,
    [signal, before],
  )
  return { changes: rows[0]?.changes ?? 0, ranges: parseMultirange(rows[0]?.pending ?? '') }
}

async function rollUpRows(
  client: pg.ClientBase,
  rollup: Rollup,
  { hour, ranges }: { readonly hour: number; readonly ranges: readonly MinuteRange[] },
): Promise<void> {
  const services = await listServices(client)
  for (const range of ranges) await rollUpMinutes(client, rollup, { range, services })
  await rollUpHour(client, rollup, hour)
}

async function rollUpMinutes(
  client: pg.ClientBase,
  rollup: Rollup,
  { range, services }: { readonly range: MinuteRange; readonly services: readonly string[] | undefined },
): Promise<void> {
  const { minutes, time } = rollup
  const times = timesOf(range)
  await client.query(`delete from ${minutes} where removal_id = 0 and minute >= $1 and minute < $2`, times)
  const columns = minuteColumns(rollup).join(', ')
  const ofServices = services === undefined ? '' : 'and s.service = any($3)'
  const where = `s.${time} >= $1::timestamptz and s.${time} < $2::timestamptz ${ofServices}`
  await client.query(
    `insert into ${minutes} (minute, ${columns})
     select minute, ${columns} from (${minuteRowsSql(rollup, rollup.table, where)}) as rolled`,
    services === undefined ? times : [...times, services],
  )
}

async function rollUpHour(client: pg.ClientBase, rollup: Rollup, hour: number): Promise<void> {
  await merge(client, rollup, {
    into: rollup.hours,
    unit: 'hour',
    range: { from: hour, to: hour + 60 },
    parts: `(select minute as bucket, removal_id, ${sketchedSql(rollup)} from ${rollup.minutes}
      where removal_id = 0 and minute >= $1 and minute < $2)`,
  })
  const day = Math.floor(hour / MINUTES_OF_A_DAY) * MINUTES_OF_A_DAY
  await merge(client, rollup, {
    into: rollup.days,
    unit: 'day',
    range: { from: day, to: day + MINUTES_OF_A_DAY },
    parts: `(select hour as bucket, removal_id, ${sketchedColumns(rollup).join(', ')} from ${rollup.hours}
      where removal_id = 0 and hour >= $1 and hour < $2)`,
  })
}

async function merge(
  client: pg.ClientBase,
  rollup: Rollup,
  {
    into,
    unit,
    range,
    parts,
  }: {
    readonly into: string
    readonly unit: 'hour' | 'day'
    readonly range: MinuteRange
    readonly parts: string
  },
): Promise<void> {
  const times = timesOf(range)
  await client.query(`delete from ${into} where removal_id = 0 and ${unit} >= $1 and ${unit} < $2`, times)
  const columns = sketchedColumns(rollup).join(', ')
  await client.query(
    `insert into ${into} (${unit}, removal_id, ${columns})
     select ${unit}, removal_id, ${columns} from (${mergedRowsSql(rollup, unit, parts)}) as merged`,
    times,
  )
}

/** Takes what was rolled up off what is pending. Of many changes, what is left becomes one. */
async function settle(
  client: pg.ClientBase,
  { signal }: Pick<Rollup, 'signal'>,
  { ranges, compact }: { readonly ranges: readonly MinuteRange[]; readonly compact: boolean },
): Promise<void> {
  const done = multirange(ranges)
  if (!compact) {
    await client.query(
      `update changed_minutes
          set pending = nullif(pending - $2::int4multirange, '{}'),
              rolled_up_at = case when isempty(pending - $2::int4multirange) then now() end
        where signal = $1 and pending && $2::int4multirange`,
      [signal, done],
    )
    return
  }
  await client.query(
    `insert into changed_minutes (signal, minutes, pending)
     select $1, '{}', range_agg(pending) - $2::int4multirange from changed_minutes
      where signal = $1 and pending is not null
     having not isempty(range_agg(pending) - $2::int4multirange)`,
    [signal, done],
  )
  await client.query(
    `update changed_minutes set pending = null, rolled_up_at = now()
      where signal = $1 and pending is not null and xid <> pg_current_xact_id()`,
    [signal],
  )
}

function count(ranges: readonly MinuteRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0)
}

function timesOf({ from, to }: MinuteRange): [string, string] {
  return [new Date(from * 60_000).toISOString(), new Date(to * 60_000).toISOString()]
}
