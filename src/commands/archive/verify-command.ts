import { Argument, Command } from 'commander'
import { loadSettings } from '../../config.ts'
import { messageOf, ObservatoryError } from '../../errors.ts'
import { giveWay } from '../../give-way.ts'
import { readManifest } from '../../retention/archive/archive-manifest.ts'
import { verifyArchive } from '../../retention/archive/verify-archive.ts'
import { EXIT_FAILED } from '../report-error.ts'
import { RowsProgress } from '../rows-progress.ts'
import { runCommand } from '../run-command.ts'
import { formatCount } from '../text-table.ts'
import {
  type ArchiveFlags,
  addArchiveFilter,
  addArchiveSettings,
  chosenIds,
  storageOf,
} from './archive-flags.ts'

const EXAMPLES = `
Reads every byte and every row back, and compares them with the counts and checksums of
the manifest. Needs no database. Those that are unsound are named, and the exit code is 1.

Examples:
  observatory archive verify
  observatory archive verify spans/2026-11-23/20261201T023000123Z-1a2b3c4d
  observatory archive verify --from -30d --json`

/** `observatory archive verify`. */
export function verifyCommand(): Command {
  const command = addArchiveFilter(
    new Command('verify')
      .description('Read archives back, and see that nothing in them has changed.')
      .addArgument(new Argument('[id...]', 'as list shows them (default: all)')),
  ).option('--json', 'as JSON: {archives, rows, unsound: [{id, problem}]}')
  return addArchiveSettings(command, []).addHelpText('after', EXAMPLES).action(verify)
}

async function verify(
  given: readonly string[],
  { table, from, to, json, ...flags }: ArchiveFlags,
): Promise<void> {
  giveWay()
  const { settings } = loadSettings({ flags: { ...flags } })
  const storage = storageOf(settings)
  await runCommand(settings, async ({ stopping }) => {
    const progress = new RowsProgress(process.stderr)
    const context = { storage, onProgress: progress.update, signal: stopping }
    const filter = { ...(table && { table }), ...(from && { from }), ...(to && { to }) }
    const ids = given.length > 0 ? given : await chosenIds(storage, filter)
    const unsound: { id: string; problem: string }[] = []
    let rows = 0
    for (const id of ids) {
      stopping.throwIfAborted()
      try {
        const manifest = await readManifest(storage, id)
        await verifyArchive(context, manifest)
        rows += manifest.rows[0].rows
      } catch (error) {
        if (!(error instanceof ObservatoryError && error.code === 'ERR_ARCHIVE_UNSOUND')) throw error
        unsound.push({ id, problem: messageOf(error) })
        progress.line(messageOf(error))
      }
    }
    progress.clear()
    const sound = ids.length - unsound.length
    process.stdout.write(
      json
        ? `${JSON.stringify({ archives: ids.length, rows, unsound }, null, 2)}\n`
        : `${formatCount(sound)} of ${formatCount(ids.length)} archives are sound, with ${formatCount(rows)} rows: ${storage.place}\n`,
    )
    if (unsound.length > 0) process.exitCode = EXIT_FAILED
  })
}
