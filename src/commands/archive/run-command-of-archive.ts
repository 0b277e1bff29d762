import { Command } from 'commander'
import { giveWay } from '../../give-way.ts'
import { archivePartition } from '../../retention/archive/archive-partition.ts'
import { CLOSED_AFTER_MS } from '../../retention/index-keeper.ts'
import { listPartitions } from '../../retention/list-partitions.ts'
import { Pace } from '../../retention/pace.ts'
import { PARTITIONED_TABLES, type PartitionedTable } from '../../retention/partitions.ts'
import { RowsProgress } from '../rows-progress.ts'
import { formatBytes, formatCount } from '../text-table.ts'
import { withPool } from '../with-pool.ts'
import { addArchiveSettings, addTableFlag, parseMs, storageOf, withServers } from './archive-flags.ts'
import { type DescribedArchive, describeArchive } from './described-archive.ts'

const EXAMPLES = `
Closed partitions are those whose time ended an hour ago. What is in archives already is
not written again; of rows that came after, a further archive is made. Each is read back
and compared before the next one. Nothing is removed. It may be stopped and run again.

Examples:
  observatory archive run --archive-url /var/lib/observatory/archives
  observatory archive run --before 2026-11-01 --table spans --table span_contents
  observatory archive run --json | jq .rows`

interface RunFlags {
  readonly before?: number
  readonly table?: readonly PartitionedTable[]
  readonly json?: boolean
}

/** `observatory archive run`. */
export function runCommandOfArchive(): Command {
  const command = addTableFlag(
    new Command('run')
      .description('Archive what is in no archive yet of closed partitions.')
      .option('--before <time>', 'Partitions that end before: 2026-11-23, RFC 3339, or -30d.', parseMs),
  ).option(
    '--json',
    'as JSON: {partitions, rows, archives: [{id, table, from, to, format, rows, bytes, createdAt}]}',
  )
  return addArchiveSettings(command, withServers('archiveFormat')).addHelpText('after', EXAMPLES).action(run)
}

async function run({ before, table: tables = PARTITIONED_TABLES, json, ...flags }: RunFlags): Promise<void> {
  giveWay()
  const use = { name: 'archive', connections: 1, relation: 'archives' }
  await withPool(flags, use, async ({ pool, settings, signal }) => {
    const storage = storageOf(settings)
    const progress = new RowsProgress(process.stderr)
    const endedBy = Math.min(before ?? Number.POSITIVE_INFINITY, Date.now() - CLOSED_AFTER_MS)
    const context = {
      pool,
      storage,
      format: settings.archiveFormat,
      signal,
      onProgress: progress.update,
      pace: new Pace(),
    }
    const archives: DescribedArchive[] = []
    let partitions = 0
    let rows = 0
    try {
      for (const table of tables) {
        const closed = (await listPartitions(pool, table)).filter(({ toMs }) => toMs <= endedBy).reverse()
        for (const partition of closed) {
          signal.throwIfAborted()
          const outcome = await archivePartition(context, { table, ...partition })
          partitions += 1
          rows += outcome.rows
          if (outcome.written === undefined) continue
          const archive = describeArchive(outcome.written)
          archives.push(archive)
          progress.line(
            `${partition.name}: ${formatCount(archive.rows)} rows, ${formatBytes(archive.bytes)}: ${archive.id}`,
          )
        }
      }
    } finally {
      progress.clear()
    }
    process.stdout.write(
      json
        ? `${JSON.stringify({ partitions, rows, archives }, null, 2)}\n`
        : `${formatCount(partitions)} closed partitions with ${formatCount(rows)} rows are in archives, ${formatCount(archives.length)} of which were made now: ${storage.place}\n`,
    )
  })
}
