import { join } from 'node:path'
import { listArchiveIds } from '../../src/retention/archive/archive-manifest.ts'
import { FolderStorage } from '../../src/retention/archive/folder-storage.ts'
import { queryParquet } from '../helpers/read-parquet.ts'
import type { DaySums } from './day-sums.ts'

const TIMES = {
  spans: 'start_time_unix_nano',
  log_records: 'time_unix_nano',
  metric_points: 'time_unix_nano',
}

const SUMS = {
  spans: `count(*) as spans, count(*) filter (where status_code = 2) as "spanErrors",
    sum(input_tokens) as "inputTokens", sum(output_tokens) as "outputTokens"`,
  log_records: `count(*) as logs, count(*) filter (where severity_number = 17) as "errorLogs"`,
  metric_points: `count(*) as points`,
}

/** What the archives of a folder count and add up to, by day, as DuckDB reads their Parquet. A folder without a manifest is what a killed process has left. */
export async function parquetSums(folder: string): Promise<ReadonlyMap<number, Partial<DaySums>>> {
  const sums = new Map<number, Partial<DaySums>>()
  const storage = new FolderStorage(folder)
  for (const table of ['spans', 'log_records', 'metric_points'] as const) {
    const files = (await listArchiveIds(storage, table)).map((id) => join(folder, id, `${table}.parquet`))
    if (files.length === 0) continue
    const rows = await queryParquet(
      files.join("', '"),
      (names) =>
        `select ${TIMES[table]} // 86400000000000 as day, ${SUMS[table]} from read_parquet(['${names}']) group by day`,
    )
    for (const { day, ...members } of rows) {
      const dayMs = Number(day) * 86_400_000
      const numbers = Object.fromEntries(
        Object.entries(members).map(([name, value]) => [name, Number(value)]),
      )
      sums.set(dayMs, { ...sums.get(dayMs), ...numbers })
    }
  }
  return sums
}
