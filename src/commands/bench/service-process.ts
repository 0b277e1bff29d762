import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ObservatoryError } from '../../errors.ts'
import { PACKAGE_FOLDER } from '../../package-folder.ts'
import { settingName } from '../../settings.ts'
import type { BenchSetup } from './bench-setup.ts'

const LAUNCHER = join(PACKAGE_FOLDER, 'bin', 'observatory.js')
const STOP_TIMEOUT_MS = 15_000

/** The settings that can be given to the bench, for the service it measures. */
export const SERVICE_SETTINGS = [
  'readCount',
  'batchMaxRows',
  'batchMaxBytes',
  'batchMaxAgeMs',
  'inFlightMaxBytes',
  'writeConcurrency',
] as const

export interface ServiceProcessOptions {
  /** Default: ingest. */
  readonly role?: 'ingest' | 'api' | 'all'
  /** Default: any free one. */
  readonly httpPort?: number
  readonly streamPrefix: string
  /** How many entries stay in a stream that was read; the default setting when undefined. */
  readonly keepEntries?: number
  /** The default setting when undefined. */
  readonly acceptPastDays?: number | undefined
  /** Folder for a CPU profile of the service. */
  readonly cpuProf?: string | undefined
}

/** `observatory serve` of one role in a process of its own. */
export class ServiceProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  constructor({ settings, databaseUrl, redisUrl, folder }: BenchSetup, options: ServiceProcessOptions) {
    const profile = options.cpuProf === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.cpuProf}`]
    const { role = 'ingest' } = options
    const tuned = SERVICE_SETTINGS.map((key) => [settingName(key), String(settings[key])])
    this.#child = spawn(
      process.execPath,
      [...profile, LAUNCHER, 'serve', ...(role === 'all' ? [] : ['--only', role])],
      {
        env: {
          PATH: process.env.PATH,
          HOME: process.env.HOME,
          OBSERVATORY_CONFIG: join(folder, 'observatory.yaml'),
          DATABASE_URL: databaseUrl,
          REDIS_URL: redisUrl,
          STREAM_PREFIX: options.streamPrefix,
          HTTP_PORT: String(options.httpPort ?? 0),
          LOG_LEVEL: 'error',
          ...Object.fromEntries(tuned),
          ...(options.keepEntries !== undefined && { STREAM_KEEP_ENTRIES: String(options.keepEntries) }),
          ...(options.acceptPastDays !== undefined && { ACCEPT_PAST_DAYS: String(options.acceptPastDays) }),
        },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    )
    this.#exited = once(this.#child, 'exit')
    this.#exited.catch(() => undefined)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** @throws ObservatoryError ERR_INGEST_STOPPED when it has ended by itself. */
  assertRunning(): void {
    const { exitCode, signalCode } = this.#child
    if (exitCode === null && signalCode === null) return
    const message = `the service ended in the middle of the bench (${signalCode ?? `exit code ${exitCode}`}); its log is above`
    throw new ObservatoryError('ERR_INGEST_STOPPED', message)
  }

  /** Stops it, and waits until it is gone. */
  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) return
    this.#child.kill('SIGTERM')
    const harder = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#exited.catch(() => undefined)
    clearTimeout(harder)
  }
}
