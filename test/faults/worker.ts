import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { waitFor } from './deadline.ts'
import { RECORD_MAX_BYTES, SERIES_MAX_PER_METRIC } from './poison.ts'
import { type PostgresProxy, startPostgresProxy } from './postgres-proxy.ts'
import { type RedisProxy, startRedisProxy } from './redis-proxy.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/observatory.js', import.meta.url))
/** Starting waits for PostgreSQL's recovery and Redis' loading, and for another one's migration. */
const READY_MAX_MS = 60_000
export const IN_FLIGHT_MAX_BYTES = 8 * 1024 * 1024

const STARTED = /"url":"(http:[^"]+)".*"msg":"started"/

const SETTINGS = {
  LOG_LEVEL: 'info',
  RECLAIM_MIN_IDLE_MS: '1000',
  READ_BLOCK_MS: '300',
  BATCH_MAX_AGE_MS: '60',
  BATCH_MAX_ROWS: '1000',
  IN_FLIGHT_MAX_BYTES: String(IN_FLIGHT_MAX_BYTES),
  RECORD_MAX_BYTES: String(RECORD_MAX_BYTES),
  SERIES_MAX_PER_METRIC: String(SERIES_MAX_PER_METRIC),
  STREAM_KEEP_ENTRIES: '2000',
  STARTUP_TIMEOUT_MS: '60000',
  SHUTDOWN_TIMEOUT_MS: '30000',
}

export interface WorkerOptions {
  readonly slot: number
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly streamPrefix: string
  readonly logFolder: string
  readonly onDelivered: (stream: string, id: string) => void
  readonly signal: AbortSignal
}

interface PostOptions {
  readonly body: Buffer
  readonly contentType: string
  readonly timeoutMs: number
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly retryAfter: string | null
}

/** A slot in which one `serve` after another runs, each behind the same two proxies. */
export class Worker {
  readonly slot: number
  readonly postgres: PostgresProxy
  readonly redis: RedisProxy
  readonly logFile: string
  readonly #options: WorkerOptions
  #child: ChildProcess | undefined
  /** Where it answers, once it has said so: any free port, so that campaigns can run beside one another. */
  #url: string | undefined
  incarnation = 0
  /** Ended, or about to be ended, by the campaign: not a finding. */
  isDown = true

  private constructor(options: WorkerOptions, postgres: PostgresProxy, redis: RedisProxy) {
    this.#options = options
    this.slot = options.slot
    this.postgres = postgres
    this.redis = redis
    this.logFile = join(options.logFolder, `worker-${options.slot}.log`)
  }

  static async create(options: WorkerOptions): Promise<Worker> {
    const port = (url: string) => () => Number(new URL(url).port)
    return new Worker(
      options,
      await startPostgresProxy(port(options.databaseUrl)),
      await startRedisProxy({ port: port(options.redisUrl), onDelivered: options.onDelivered }),
    )
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get hasExited(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Starts a process in this slot. It is not waited for. */
  #launch(): void {
    const { databaseUrl, redisUrl, streamPrefix } = this.#options
    this.#url = undefined
    this.incarnation += 1
    const log = createWriteStream(this.logFile, { flags: 'a' })
    const child = spawn(process.execPath, [LAUNCHER, 'serve'], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        ...SETTINGS,
        STREAM_PREFIX: streamPrefix,
        HTTP_PORT: '0',
        DATABASE_URL: atPort(databaseUrl, this.postgres.port),
        REDIS_URL: atPort(redisUrl, this.redis.port),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C is for the campaign, which then ends its workers.
      detached: true,
    })
    child.stdout?.pipe(log, { end: false })
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.#child !== child || this.#url !== undefined) return
      said += text
      this.#url = STARTED.exec(said)?.[1]
    })
    child.stderr?.pipe(log, { end: false })
    child.once('close', () => log.end())
    this.#child = child
    this.isDown = false
  }

  async start(): Promise<void> {
    this.#launch()
    await this.ready()
  }

  /** Waits until it reads and writes. */
  async ready(timeoutMs = READY_MAX_MS): Promise<void> {
    const answers = async () => {
      if (this.hasExited) throw new Error(`Worker ${this.slot} ended by itself; see ${this.logFile}`)
      const response = await this.get('/readyz').catch(() => undefined)
      return response?.ok === true ? true : undefined
    }
    await waitFor(answers, {
      what: `Worker ${this.slot} (process ${this.pid}) being ready`,
      timeoutMs,
      signal: this.#options.signal,
      hint: async () => `It says: ${await this.#readiness()}. See ${this.logFile}`,
    })
  }

  async get(path: string): Promise<Response> {
    if (this.#url === undefined) throw new Error('it has not started yet')
    return fetch(`${this.#url}${path}`, { signal: AbortSignal.timeout(5000) })
  }

  /** Sends a body to where the process of this slot answers, or has answered. */
  async post(path: string, { body, contentType, timeoutMs }: PostOptions): Promise<Answer> {
    if (this.#url === undefined) throw new Error('it has not started yet')
    const response = await fetch(`${this.#url}${path}`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    })
    const { status, headers } = response
    return { status, text: await response.text(), retryAfter: headers.get('retry-after') }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Freezes the process; until {@link resume} it is no finding that it does not answer. */
  suspend(): void {
    this.isDown = true
    this.kill('SIGSTOP')
  }

  resume(): void {
    this.kill('SIGCONT')
    this.isDown = false
  }

  /** Ends the process. @returns its exit code, null when a signal ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL', timeoutMs = 40_000): Promise<number | null> {
    this.isDown = true
    const child = this.#child
    if (child === undefined || this.hasExited) return child?.exitCode ?? null
    const exited = once(child, 'exit', { signal: AbortSignal.timeout(timeoutMs) }) as Promise<[number | null]>
    child.kill(signal)
    const [code] = await exited
    return code
  }

  /** Resident memory and its peak, in bytes; undefined where there is no /proc. */
  async memory(): Promise<{ readonly rss: number; readonly peak: number } | undefined> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8').catch(() => '')
    const bytes = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
    return status.includes('VmRSS') ? { rss: bytes('VmRSS'), peak: bytes('VmHWM') } : undefined
  }

  async close(): Promise<void> {
    if (!this.hasExited) await this.end('SIGKILL').catch(() => undefined)
    await Promise.all([this.postgres.close(), this.redis.close()])
  }

  async #readiness(): Promise<string> {
    return this.get('/readyz')
      .then((response) => response.text())
      .catch((error: Error) => error.message)
  }
}

function atPort(url: string, port: number): string {
  const changed = new URL(url)
  changed.port = String(port)
  changed.hostname = '127.0.0.1'
  return changed.href
}
