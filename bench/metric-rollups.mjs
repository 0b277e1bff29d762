/*
 * What do rollups of metrics cost, and what do they save? 30 days of 60 series with a point a minute (40 gauges, 10 counters, 10 histograms of 15 bounds: 2.6 million points) are
 * rolled up in an embedded PostgreSQL of its own, and a month by the day is asked of each by rollups and by points: npm run build, then node bench/metric-rollups.mjs. Both answers are
 * compared; the median of their turns counts.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { joinServers } from '../dist/embedded/servers.js'
import { migrate } from '../dist/migrate.js'
import { createPool } from '../dist/pool.js'
import { MetricRepository } from '../dist/repositories/metric-repository.js'
import { Partitions } from '../dist/retention/partitions.js'
import { rollUpNewestHour } from '../dist/retention/rollups/roll-up.js'
import { METRIC_ROLLUP } from '../dist/retention/rollups/rollup.js'
import { MetricWriter } from '../dist/writers/metric-writer.js'

const DAYS = 30
const DAY_MS = 86_400_000
const TURNS = 5
const START = (Math.floor(Date.now() / DAY_MS) - DAYS) * DAY_MS
const NANOS = 1_000_000n
const BOUNDS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000]
const COUNTS = `array[${[...BOUNDS, 0].map((_, index) => `minute * ${index + 1}`).join(', ')}]::bigint[]`

const dataDir = await mkdtemp(join(tmpdir(), 'observatory-bench-'))
const servers = await joinServers({ dataDir, postgres: true, redis: false })
await migrate({ databaseUrl: servers.databaseUrl })
const pool = createPool({
  databaseUrl: servers.databaseUrl,
  applicationName: 'bench metric rollups',
  max: 3,
  onError: () => undefined,
})
const metrics = new MetricRepository(pool)

/** @returns what it gives, after how many milliseconds. */
async function timed(work) {
  const startedAt = performance.now()
  return [await work(), performance.now() - startedAt]
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const rounded = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(11)) : value)

async function writePoints() {
  const of = (count, metric) =>
    Array.from({ length: count }, (_, index) => ({
      ...metric,
      service: 'bench',
      timeUnixNano: String(BigInt(START) * NANOS),
      startTimeUnixNano: String(BigInt(START) * NANOS),
      attributes: { series: index },
    }))
  const writer = new MetricWriter({ pool, recordLimits: { acceptPastDays: DAYS + 1 } })
  const histogram = { count: 0, sum: 0, explicitBounds: BOUNDS, bucketCounts: [...BOUNDS, 0].map(() => 0) }
  writer.end([
    ...of(40, { name: 'temperature', type: 'gauge', value: 1 }),
    ...of(10, { name: 'requests', type: 'counter', value: 0 }),
    ...of(10, { name: 'duration', type: 'histogram', ...histogram }),
  ])
  await once(writer, 'finish')
  const client = await pool.connect()
  const days = Array.from({ length: DAYS }, (_, day) => START + day * DAY_MS)
  await new Partitions({ pool, interval: 'day' }).ensure(client, ['metric_points'], days)
  for (const day of days) {
    await client.query(
      `insert into metric_points (time, time_unix_nano, start_time_unix_nano, series_id, entry_ms, entry_seq, record_index,
         value, count, sum, explicit_bounds, bucket_counts)
       select to_timestamp($1::bigint / 1000 + 60 * minute), ($1::bigint + 60000 * minute) * 1000000, $2::bigint * 1000000, series_id, minute, 0, 0,
         case m.type when 'gauge' then 20 + sin(minute) when 'counter' then 7 * (minute + ($1::bigint - $2::bigint) / 60000) end,
         case m.type when 'histogram' then minute * 136 end, case m.type when 'histogram' then minute * 1.5 end,
         case m.type when 'histogram' then $3::float8[] end, case m.type when 'histogram' then ${COUNTS} end
       from generate_series(case when $1::bigint = $2::bigint then 1 else 0 end, 1439) as minute, metric_series s join metrics m using (metric_id)
       order by minute`,
      [day, START, BOUNDS],
    )
  }
  await client.query(
    `insert into changed_minutes (signal, minutes, pending) select 'metrics', r, r from int4multirange(int4range($1, $2)) r`,
    [START / 60_000, START / 60_000 + DAYS * 1440],
  )
  await client.query('vacuum analyze metric_points, metric_series, metrics')
  client.release()
}

async function rollUpAll() {
  const client = await pool.connect()
  const times = []
  for (let left = 1; left > 0; ) {
    const [made, ms] = await timed(() =>
      rollUpNewestHour(client, METRIC_ROLLUP, START / 60_000 + DAYS * 1440),
    )
    left = made.left
    times.push(ms)
  }
  await client.query('vacuum analyze metric_rollup_hours, metric_rollup_days')
  client.release()
  return times
}

async function ask(name, aggregates) {
  const from = BigInt(START) * NANOS
  const conditions = { from, to: from + BigInt(DAYS * DAY_MS) * NANOS }
  const step = BigInt(DAY_MS) * NANOS
  const query = { name, aggregates, by: [], step, limit: null, conditions }
  const rows = await metrics.queryMetric(query, new AbortController().signal)
  return (await rows.toArray()).map(([json]) => JSON.stringify(JSON.parse(json), rounded)).join('\n')
}

async function compare(name, aggregates) {
  const [rollups, points] = [[], []]
  for (let turn = 0; turn < TURNS; turn += 1) {
    const [byRollups, ms] = await timed(() => ask(name, aggregates))
    rollups.push(ms)
    // With all pending, rollups answer nothing.
    await pool.query(
      `insert into changed_minutes (signal, minutes, pending) values ('metrics', '{[0,0]}', int4multirange(int4range($1, $2)))`,
      [START / 60_000, START / 60_000 + DAYS * 1440],
    )
    const [byPoints, ofPoints] = await timed(() => ask(name, aggregates))
    points.push(ofPoints)
    await pool.query('delete from changed_minutes where pending is not null')
    if (byRollups !== byPoints) throw new Error(`${name}: rollups answer\n${byRollups}\npoints\n${byPoints}`)
  }
  console.log(
    `${name} ${aggregates} of 30 days by the day: rollups ${median(rollups).toFixed(0)} ms, points ${median(points).toFixed(0)} ms`,
  )
}

try {
  const [, written] = await timed(writePoints)
  console.log(`written in ${(written / 1000).toFixed(0)} s`)
  const times = await rollUpAll()
  console.log(`an hour rolled up in ${median(times).toFixed(0)} ms (median of ${times.length}), with its day`)
  await compare('temperature', ['avg', 'min', 'max', 'last'])
  await compare('requests', ['increase'])
  await compare('duration', ['p50', 'p99', 'count'])
  const { rows } = await pool.query(
    `select (select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = 'metric_points'::regclass)::float8 as points,
            pg_total_relation_size('metric_rollup_hours')::float8 as hours, pg_total_relation_size('metric_rollup_days')::float8 as days`,
  )
  console.log(
    Object.entries(rows[0])
      .map(([name, bytes]) => `${name} ${(bytes / 1e6).toFixed(0)} MB`)
      .join(', '),
  )
} finally {
  await pool.end()
  await servers.leave()
  await rm(dataDir, { recursive: true, force: true })
}
