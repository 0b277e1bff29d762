import type { Redis } from 'ioredis'
import { loadSettings } from '../../config.ts'
import { ObservatoryError } from '../../errors.ts'
import { boundStreams, eraseEntries } from '../../ingest/erase-entries.ts'
import type { RunContext } from '../../lifecycle.ts'
import { migrationStatus } from '../../migrate.ts'
import { streamKey } from '../../models/stream-entry.ts'
import { TELEMETRY_SIGNALS } from '../../models/telemetry-signal.ts'
import { createPool } from '../../pool.ts'
import { openArchiveStorage } from '../../retention/archive/open-archive-storage.ts'
import type { ErasedPerson } from '../../retention/erasure/erased-person.ts'
import { withErasureSession } from '../../retention/erasure/erasure-session.ts'
import { type ErasureReport, runErasure } from '../../retention/erasure/run-erasure.ts'
import type { Settings } from '../../settings.ts'
import { openServers } from '../open-servers.ts'
import { EXIT_FAILED } from '../report-error.ts'
import { RowsProgress } from '../rows-progress.ts'
import { runCommand } from '../run-command.ts'
import { findServers } from '../servers.ts'
import { confirmErasure } from './confirm-erasure.ts'
import { erasureJson, erasureText } from './erasure-text.ts'

export interface EraseFlags {
  readonly user?: readonly string[]
  readonly session?: readonly string[]
  readonly trace?: readonly string[]
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly withoutArchives?: boolean
  readonly wait: number
  readonly json?: boolean
}

/** Erases what is there of a person. The exit code is 1 while some of it waits to be ingested, and nothing is done where nobody says yes. */
export async function runErase(given: EraseFlags): Promise<void> {
  const { user: users = [], session: sessions = [], trace: traceIds = [], json, ...rest } = given
  const { dryRun = false, yes = false, withoutArchives = false, wait, ...flags } = rest
  const person = { users, sessions, traceIds }
  if (users.length + sessions.length + traceIds.length === 0)
    throw new ObservatoryError('ERR_USAGE', 'Whose? Give --user, --session or --trace')
  const loaded = loadSettings({ flags: { ...flags } })
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  await runCommand(loaded.settings, async (context) => {
    const { stopping, releasers } = context
    try {
      if (!dryRun && !yes) await confirmErasure(process.stdin, process.stderr, { person, signal: stopping })
      const urls = await findServers(loaded, { releasers, log })
      const what = {
        person,
        dryRun,
        withoutArchives,
        waitMs: wait * 1000,
        settings: loaded.settings,
        urls,
        log,
      }
      const report = await erase(context, what)
      process.stdout.write(json ? erasureJson(report, dryRun) : erasureText(report, dryRun))
      for (const begun of report.unfinished)
        log(
          `warning: an erasure that was begun at ${begun.toISOString()} has not ended: run it again, with its ids`,
        )
      if (report.entries.left > 0) process.exitCode = EXIT_FAILED
    } catch (error) {
      if (!stopping.aborted) throw error
      if (!dryRun) log('stopped: run it again with the same ids, and it is finished')
      process.exitCode = EXIT_FAILED
    }
  })
}

interface EraseOptions {
  readonly person: ErasedPerson
  readonly dryRun: boolean
  readonly withoutArchives: boolean
  readonly waitMs: number
  readonly settings: Settings
  readonly urls: Awaited<ReturnType<typeof findServers>>
  readonly log: (line: string) => void
}

async function erase(
  context: RunContext,
  { settings, urls, waitMs, log, ...what }: EraseOptions,
): Promise<ErasureReport> {
  const { stopping: signal, releasers } = context
  const { client, redis, databaseUrl } = await openServers({ ...context, name: 'erase', settings, urls })
  const { pending } = await migrationStatus(client)
  if (pending.length > 0)
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `${pending.length} migrations are pending; run "observatory migrate"`,
    )
  const pool = createPool({
    databaseUrl,
    applicationName: 'observatory erase',
    max: 1,
    onError: () => undefined,
  })
  releasers.defer('PostgreSQL pool', () => pool.end())
  const progress = new RowsProgress(process.stderr)
  const { streamPrefix, consumerGroup: group } = settings
  const streams = TELEMETRY_SIGNALS.map((each) => ({
    signal: each,
    stream: streamKey(streamPrefix, each),
    group,
  }))
  const onWaiting = () => log('waiting until what is in the streams is ingested')
  try {
    return await withErasureSession(pool, signal, async (session) => {
      const bounded = await boundStreams(redis, streams, {
        waitMs: what.dryRun ? 0 : waitMs,
        signal,
        onWaiting,
      })
      const report = await runErasure({
        ...what,
        client: session,
        storage: openArchiveStorage(settings),
        signal,
        onProgress: progress.update,
        eraseEntries: (erasure) => eraseEntries(redis, bounded, erasure),
      })
      if (!what.dryRun) await forgetAnswers(redis, streamPrefix)
      return report
    })
  } finally {
    progress.clear()
  }
}

/** Answers of before: by user or session they may name one. */
async function forgetAnswers(redis: Redis, prefix: string): Promise<void> {
  const match = `${prefix.replaceAll(/[[\]*?\\]/g, '\\$&')}:answers:*`
  for await (const keys of redis.scanStream({ match, count: 1000 }))
    if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]))
}
