import type pg from 'pg'
import { HistogramPartSum } from '../../../models/histograms/histogram-part-sum.ts'
import { distributionJson } from './distribution-json.ts'
import { DISTRIBUTION_ROW, type DistributionRow, PARTS_ORDER, partOf } from './distribution-row.ts'

export interface DistributionRollups {
  /** SQL of the parts after FROM, with `bucket`, the beginning of an hour or day, and their columns: see {@link DISTRIBUTION_ROW}. */
  readonly parts: string
  /** Of that SQL. */
  readonly values: readonly unknown[]
  readonly into: 'metric_rollup_hours' | 'metric_rollup_days'
  /** Of hours: above 0 where their points go. */
  readonly removalId?: string
}

/** Points that are read at once, and rollups that are written at once. */
const FETCHED = 1000
const WRITTEN = 500

type Fetched = readonly [...DistributionRow, bucket: string, isDelta: boolean | null]

interface Made {
  readonly bucket: string
  readonly seriesId: string
  readonly sum: HistogramPartSum
}

/** Makes rollups of histograms and summaries, in the transaction that is open: bucket by bucket of each series, of which one is held. */
export async function rollUpDistributions(
  client: Pick<pg.ClientBase, 'query'>,
  { parts, values, into, removalId }: DistributionRollups,
): Promise<void> {
  await client.query(
    `declare distributions no scroll cursor for
     select ${DISTRIBUTION_ROW}, bucket::text, temporality = 'delta'
       from ${parts} as parts join metric_series s using (series_id) join metrics m using (metric_id)
      order by series_id, ${PARTS_ORDER}`,
    [...values],
  )
  let current: Made | undefined
  let made: Made[] = []
  for (;;) {
    const { rows } = await client.query<Fetched & unknown[]>({
      text: `fetch ${FETCHED} from distributions`,
      rowMode: 'array',
    })
    for (const row of rows) {
      const part = partOf(row)
      if (part === undefined) continue
      const [seriesId] = row
      const [bucket, isDelta] = row.slice(-2) as [string, boolean | null]
      if (current?.bucket === bucket && current.seriesId === seriesId) current.sum.add(part)
      else {
        current = { bucket, seriesId, sum: new HistogramPartSum(part, isDelta === true) }
        made.push(current)
      }
    }
    // The last one may go on.
    if (rows.length === FETCHED && made.length <= WRITTEN) continue
    const rest = rows.length === FETCHED ? made.splice(-1) : []
    await write(client, made, { into, removalId })
    made = rest
    if (rows.length < FETCHED) break
  }
  await client.query('close distributions')
}

async function write(
  client: Pick<pg.ClientBase, 'query'>,
  made: readonly Made[],
  { into, removalId }: Pick<DistributionRollups, 'into' | 'removalId'>,
): Promise<void> {
  if (made.length === 0) return
  const rows = made.map(({ bucket, seriesId, sum }) => ({ bucket, seriesId, part: sum.part }))
  const isHours = into === 'metric_rollup_hours'
  await client.query(
    `insert into ${into} (${isHours ? 'hour, removal_id' : 'day'}, series_id, count,
       first_time_unix_nano, last_time_unix_nano, first_start_time_unix_nano, distribution)
     select bucket${isHours ? ', $8::bigint' : ''}, series_id, count, first_time, last_time, first_start, distribution
       from unnest($1::timestamptz[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::json[])
         as made (bucket, series_id, count, first_time, last_time, first_start, distribution)`,
    [
      rows.map(({ bucket }) => bucket),
      rows.map(({ seriesId }) => seriesId),
      rows.map(({ part }) => part.points),
      rows.map(({ part }) => part.firstTime),
      rows.map(({ part }) => part.lastTime),
      rows.map(({ part }) => part.firstStart),
      rows.map(({ part }) => distributionJson(part)),
      ...(isHours ? [removalId ?? '0'] : []),
    ],
  )
}
