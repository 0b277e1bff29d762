import type pg from 'pg'
import { type LoadedSettings, loadSettings } from '../../config.ts'
import { ObservatoryError } from '../../errors.ts'
import type { RunContext } from '../../lifecycle.ts'
import { createPool } from '../../pool.ts'
import { describePostgres } from '../../postgres-connection.ts'
import { DeadLetterRepository } from '../../repositories/dead-letter-repository.ts'
import type { Settings } from '../../settings.ts'
import { waitForPostgres } from '../../wait-for-postgres.ts'
import { EXIT_FAILED } from '../report-error.ts'
import { runCommand } from '../run-command.ts'
import { enterPostgres } from '../servers.ts'

export interface OpenLetters {
  readonly repository: DeadLetterRepository
  readonly pool: pg.Pool
  readonly settings: Settings
  /** Aborted when the command is asked to end. */
  readonly signal: AbortSignal
}

/** One streams which letters there are, one works on them. */
const CONNECTIONS = 2

/**
 * Runs `work` on the dead letters of the PostgreSQL of the settings, or of the embedded one. Being asked to stop ends it: it was not completed then, so
 * the exit code is 1, but that is no error to tell.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when PostgreSQL does not answer, ERR_SERVER_UNSUITABLE when it was never migrated; what `work` throws.
 */
export async function withLetters(
  flags: object,
  work: (letters: OpenLetters) => Promise<void>,
): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  await runCommand(loaded.settings, async (context) => {
    try {
      await work(await openLetters(loaded, context))
    } catch (error) {
      if (!context.stopping.aborted) throw error
      process.exitCode = EXIT_FAILED
    }
  })
}

async function openLetters(
  loaded: LoadedSettings,
  { stopping, releasers }: RunContext,
): Promise<OpenLetters> {
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const databaseUrl = await enterPostgres(loaded, { releasers, log })
  await waitForPostgres({ databaseUrl, timeoutMs: loaded.settings.startupTimeoutMs, signal: stopping })
  const pool = createPool({
    databaseUrl,
    applicationName: 'observatory dead-letters',
    max: CONNECTIONS,
    onError: () => undefined,
  })
  releasers.defer('PostgreSQL pool', () => pool.end())
  const { rows } = await pool.query<{ exists: boolean }>(
    `select to_regclass('dead_letters') is not null as exists`,
  )
  if (rows[0]?.exists !== true) {
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `${describePostgres(databaseUrl)} has no table of dead letters: run "observatory migrate", or name another database`,
    )
  }
  return { repository: new DeadLetterRepository(pool), pool, settings: loaded.settings, signal: stopping }
}
