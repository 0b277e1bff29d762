import { Command } from 'commander'
import { listCommand } from './archive/list-command.ts'
import { restoreCommand } from './archive/restore-command.ts'
import { runCommandOfArchive } from './archive/run-command-of-archive.ts'
import { verifyCommand } from './archive/verify-command.ts'

const EXAMPLES = `
An archive is a folder with the rows of one partition as Parquet or NDJSON, what they
refer to, and a manifest with counts and checksums, which is written last. It is read
back before it counts. Any tool reads the Parquet: DuckDB, pandas, Spark. All of
this lets whatever else the machine does go first (nice 19).

Examples:
  observatory archive run --archive-url /var/lib/observatory/archives
  ARCHIVE_URL=s3://telemetry/prod observatory archive list
  observatory archive verify
  observatory archive restore --table spans --from 2026-11-01 --to 2026-11-08`

/** `observatory archive`: partitions as files, and back. */
export function archiveCommand(): Command {
  return new Command('archive')
    .description('Archive partitions whose time is over, verify and restore archives.')
    .addHelpText('after', EXAMPLES)
    .addCommand(runCommandOfArchive())
    .addCommand(listCommand())
    .addCommand(verifyCommand())
    .addCommand(restoreCommand())
}
