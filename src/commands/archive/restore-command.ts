import { Argument, Command } from 'commander'
import { ObservatoryError } from '../../errors.ts'
import { giveWay } from '../../give-way.ts'
import { readManifest } from '../../retention/archive/archive-manifest.ts'
import { restoreArchive } from '../../retention/archive/restore-archive.ts'
import { Pace } from '../../retention/pace.ts'
import { RowsProgress } from '../rows-progress.ts'
import { formatCount } from '../text-table.ts'
import { withPool } from '../with-pool.ts'
import {
  type ArchiveFlags,
  addArchiveFilter,
  addArchiveSettings,
  chosenIds,
  storageOf,
  withServers,
} from './archive-flags.ts'

const EXAMPLES = `
Only rows that are not there are restored, each once, however often it is run; of an
archive that was restored and is still there nothing. The rows of an archive come in one
transaction: it may be stopped and run again. They are queried like all others, and
retention removes them like all others, the days counted from the restore.

Examples:
  observatory archive restore --from 2026-11-01 --to 2026-11-08
  observatory archive restore --table spans --table span_contents --from 2026-11-23 --to 2026-11-24
  observatory archive restore spans/2026-11-23/20261201T023000123Z-1a2b3c4d
  observatory archive restore --all --database-url postgresql://me@db/empty`

/** `observatory archive restore`. */
export function restoreCommand(): Command {
  const command = addArchiveFilter(
    new Command('restore')
      .description('Bring the rows of archives back.')
      .addArgument(new Argument('[id...]', 'as list shows them')),
  )
    .option('--all', 'every archive there is')
    .option('--json', 'as JSON: {archives: [{id, rows, restored, wasRestoredBefore}]}')
  return addArchiveSettings(command, withServers('partitionInterval'))
    .addHelpText('after', EXAMPLES)
    .action(restore)
}

async function restore(
  given: readonly string[],
  { table, from, to, json, all, ...flags }: ArchiveFlags & { readonly all?: boolean },
): Promise<void> {
  const filter = { ...(table && { table }), ...(from && { from }), ...(to && { to }) }
  const isFiltered = Object.keys(filter).length > 0
  if (given.length === 0 && !isFiltered && all !== true)
    throw new ObservatoryError('ERR_USAGE', 'Which? Name archives, or say --from, --to, --table, or --all')
  if (given.length > 0 && (isFiltered || all === true))
    throw new ObservatoryError(
      'ERR_USAGE',
      'Archives that are named go without --from, --to, --table and --all',
    )
  giveWay()
  const use = { name: 'archive', connections: 2, relation: 'archives' }
  await withPool(flags, use, async ({ pool, settings, signal }) => {
    const storage = storageOf(settings)
    const progress = new RowsProgress(process.stderr)
    const options = {
      pool,
      storage,
      signal,
      partitionInterval: settings.partitionInterval,
      onProgress: progress.update,
      pace: new Pace(),
    }
    const ids = given.length > 0 ? given : await chosenIds(storage, filter)
    const archives: object[] = []
    let rows = 0
    try {
      // Of one partition the newest first: where a cost was computed anew, that is the one that stays.
      for (const id of ids.toReversed()) {
        signal.throwIfAborted()
        const outcome = await restoreArchive(options, await readManifest(storage, id))
        archives.push({ id, ...outcome })
        rows += outcome.restored
        const there = outcome.wasRestoredBefore ? ': it was restored before' : ''
        progress.line(`${id}: ${formatCount(outcome.restored)} of ${formatCount(outcome.rows)} rows${there}`)
      }
    } finally {
      progress.clear()
    }
    process.stdout.write(
      json
        ? `${JSON.stringify({ archives }, null, 2)}\n`
        : `${formatCount(rows)} rows restored of ${formatCount(ids.length)} archives\n`,
    )
  })
}
