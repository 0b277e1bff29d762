import type pg from 'pg'
import { type LoadedSettings, loadSettings } from '../config.ts'
import { ObservatoryError } from '../errors.ts'
import type { RunContext } from '../lifecycle.ts'
import { createPool } from '../pool.ts'
import { describePostgres } from '../postgres-connection.ts'
import type { Settings } from '../settings.ts'
import { waitForPostgres } from '../wait-for-postgres.ts'
import { untilOutputGone } from './output-gone.ts'
import { EXIT_FAILED } from './report-error.ts'
import { runCommand } from './run-command.ts'
import { enterPostgres } from './servers.ts'

export interface PoolUse {
  /** The command, by which the server knows the connections. */
  readonly name: string
  /** Most connections at once. */
  readonly connections: number
  /** A table or view that is there when the database was migrated. */
  readonly relation: string
}

export interface OpenPool {
  /** Without a time limit for statements: whoever waits can stop the command. */
  readonly pool: pg.Pool
  readonly settings: Settings
  /** Aborted when the command is asked to end, and when nobody reads its output any more. */
  readonly signal: AbortSignal
}

/**
 * Runs `work` on the PostgreSQL of the settings, or on the embedded one. Being asked to stop ends it: it was not completed then, so the exit code is 1, but
 * that is no error to tell. Nor is it one that nobody reads the output any more: who reads has had enough.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when PostgreSQL does not answer, ERR_SERVER_UNSUITABLE when it was never migrated; what `work` throws.
 */
export async function withPool(
  flags: object,
  use: PoolUse,
  work: (open: OpenPool) => Promise<void>,
): Promise<void> {
  const loaded = loadSettings({ flags: { ...flags } })
  await runCommand(loaded.settings, async (context) => {
    try {
      await untilOutputGone(async (gone) => {
        const pool = await openPool(loaded, context, use)
        const signal = AbortSignal.any([context.stopping, gone])
        await work({ pool, settings: loaded.settings, signal })
      })
    } catch (error) {
      if (!context.stopping.aborted) throw error
      process.exitCode = EXIT_FAILED
    }
  })
}

async function openPool(
  loaded: LoadedSettings,
  { stopping, releasers }: RunContext,
  { name, connections, relation }: PoolUse,
): Promise<pg.Pool> {
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const databaseUrl = await enterPostgres(loaded, { releasers, log })
  await waitForPostgres({ databaseUrl, timeoutMs: loaded.settings.startupTimeoutMs, signal: stopping })
  const pool = createPool({
    databaseUrl,
    applicationName: `observatory ${name}`,
    max: connections,
    onError: () => undefined,
  })
  releasers.defer('PostgreSQL pool', () => pool.end())
  const { rows } = await pool.query<{ exists: boolean }>('select to_regclass($1) is not null as exists', [
    relation,
  ])
  if (rows[0]?.exists !== true) {
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `${describePostgres(databaseUrl)} has no ${relation}: run "observatory migrate", or name another database`,
    )
  }
  return pool
}
