import { Command } from 'commander'
import { readManifest } from '../../retention/archive/archive-manifest.ts'
import { restoredArchives } from '../../retention/archive/archive-records.ts'
import { formatBytes, formatCount, textTable } from '../text-table.ts'
import { withPool } from '../with-pool.ts'
import {
  type ArchiveFlags,
  addArchiveFilter,
  addArchiveSettings,
  chosenIds,
  storageOf,
} from './archive-flags.ts'
import { describeArchive } from './described-archive.ts'

const EXAMPLES = `
Examples:
  observatory archive list --table spans --from -30d
  observatory archive list --json | jq -r 'select(.restoredAt == null) | .id'`

const COLUMNS = [
  { heading: 'ARCHIVE' },
  { heading: 'ROWS', align: 'right' },
  { heading: 'SIZE', align: 'right' },
  { heading: 'FORMAT' },
  { heading: 'RESTORED' },
] as const

/** `observatory archive list`. */
export function listCommand(): Command {
  const command = addArchiveFilter(
    new Command('list').description('List archives, the oldest times first.'),
  ).option(
    '--json',
    'one JSON object a line: {id, table, from, to, format, rows, bytes, createdAt, restoredAt}',
  )
  return addArchiveSettings(command).addHelpText('after', EXAMPLES).action(list)
}

async function list({ table, from, to, json, ...flags }: ArchiveFlags): Promise<void> {
  const use = { name: 'archive', connections: 1, relation: 'archives' }
  await withPool(flags, use, async ({ pool, settings, signal }) => {
    const storage = storageOf(settings)
    const restored = await restoredArchives(pool)
    const ids = await chosenIds(storage, {
      ...(table && { table }),
      ...(from && { from }),
      ...(to && { to }),
    })
    const lines: string[][] = []
    for (const id of ids) {
      signal.throwIfAborted()
      const archive = describeArchive(await readManifest(storage, id))
      const restoredAt = restored.get(id)?.toISOString() ?? null
      if (json) process.stdout.write(`${JSON.stringify({ ...archive, restoredAt })}\n`)
      else
        lines.push([
          id,
          formatCount(archive.rows),
          formatBytes(archive.bytes),
          archive.format,
          restoredAt ?? '',
        ])
    }
    if (!json) process.stdout.write(textTable(COLUMNS, lines))
  })
}
