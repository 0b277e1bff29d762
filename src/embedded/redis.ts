import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { messageOf, ObservatoryError } from '../errors.ts'
import { type DetachedProcess, spawnDetached } from './detached-process.ts'
import { findFreePort } from './free-port.ts'
import { commandLineOf, identifyProcess, isRunning, waitUntilGone } from './process-identity.ts'
import { findRedisBinary } from './redis-binary.ts'
import { type RunningServer, replaceFile } from './servers-file.ts'

export interface StartRedisOptions {
  readonly dataDir: string
  readonly firstPort: number
  /** Lines of redis.conf after our own. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/** Long, as a start reads the whole append-only file back. */
const START_TIMEOUT_MS = 300_000
/** For a server that neither answers nor ends. */
const HANG_TIMEOUT_MS = 15_000
const CALL_TIMEOUT_MS = 3000
const SHUTDOWN_TIMEOUT_MS = 60_000
const POLL_MS = 25
const STARTS_TRIED = 20

interface RedisState {
  readonly pid: number
  readonly configFile: string
  readonly loading: boolean
}

/** The URL of the embedded Redis on `port`. */
export function embeddedRedisUrl(port: number): string {
  return `redis://127.0.0.1:${port}`
}

/**
 * The Redis that runs on the data of `dataDir`, whoever started it, once it has loaded. Redis does not lock its files, so the port stays in
 * redis.conf from before the start until after the stop: on it, an unknown survivor is met.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when it runs but does not answer.
 */
export async function findRedis(dataDir: string): Promise<RunningServer | undefined> {
  const files = redisFiles(dataDir)
  const port = await readPort(files.config)
  if (port === undefined) return undefined
  return untilAnswering(dataDir, port, async () => {
    const pid = Number(await readFile(files.pid, 'utf8').catch(() => ''))
    return pid > 0 && identifyProcess(pid) !== undefined && isRedisOn(pid, port)
  })
}

/**
 * Starts a private Redis on the data of `dataDir`; gives back the one that runs if one does.
 *
 * @throws ObservatoryError ERR_SERVER_UNSUITABLE without a redis-server, ERR_SERVER_UNREACHABLE with the last lines of its log.
 */
export async function startRedis(options: StartRedisOptions): Promise<RunningServer> {
  const { dataDir } = options
  const binary = await findRedisBinary()
  const files = redisFiles(dataDir)
  await mkdir(files.folder, { recursive: true, mode: 0o700 })
  let firstPort = (await readPort(files.config)) ?? options.firstPort
  for (let tried = 1; ; tried += 1) {
    const running = await findRedis(dataDir)
    if (running !== undefined) return running
    const port = await findFreePort(firstPort)
    await replaceFile(files.config, configOf(options, port))
    const server = await spawnRedis(binary, dataDir)
    const answering = await untilAnswering(dataDir, port, async () => !server.hasExited(), server)
    if (answering !== undefined) {
      server.release()
      return answering
    }
    const tail = await server.logTail()
    if (tried === STARTS_TRIED || !/Address already in use/.test(tail)) throw startFailed(dataDir, tail)
    firstPort = port + 1
  }
}

/** Stops the server, its append-only file flushed, and waits until it is gone. */
export async function stopRedis(dataDir: string, server: RunningServer): Promise<void> {
  await withClient(server.port, (client) => client.shutdown()).catch(() => undefined)
  if (!(await waitUntilGone(server, SHUTDOWN_TIMEOUT_MS))) {
    process.kill(server.pid, 'SIGKILL')
    await waitUntilGone(server, CALL_TIMEOUT_MS)
  }
  await rm(redisFiles(dataDir).config, { force: true })
}

function redisFiles(dataDir: string): { folder: string; config: string; pid: string; log: string } {
  const folder = join(dataDir, 'redis')
  return {
    folder,
    config: join(folder, 'redis.conf'),
    pid: join(folder, 'redis.pid'),
    log: join(dataDir, 'redis.log'),
  }
}

/** No snapshots (`save ""`): the append-only file has everything, and noeviction refuses writes instead of dropping entries. */
function configOf({ dataDir, settings }: StartRedisOptions, port: number): string {
  const { folder, pid } = redisFiles(dataDir)
  const lines = {
    bind: '127.0.0.1',
    port: String(port),
    'protected-mode': 'yes',
    daemonize: 'no',
    dir: JSON.stringify(folder),
    pidfile: JSON.stringify(pid),
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '""',
    'maxmemory-policy': 'noeviction',
    ...settings,
  }
  return Object.entries(lines)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}

async function readPort(config: string): Promise<number | undefined> {
  const text = await readFile(config, 'utf8').catch(() => '')
  const port = Number(/^port (\d{1,5})$/m.exec(text)?.[1])
  return port > 0 && port < 65_536 ? port : undefined
}

async function spawnRedis(binary: string, dataDir: string): Promise<DetachedProcess> {
  const { config, folder, log } = redisFiles(dataDir)
  return spawnDetached([binary, config], { logFile: log, cwd: folder }).catch((cause: unknown) => {
    throw startFailed(dataDir, messageOf(cause), cause)
  })
}

/** The server of `dataDir` once it answers on `port`; undefined when it is not there (any more). */
async function untilAnswering(
  dataDir: string,
  port: number,
  mayRun: () => Promise<boolean>,
  child?: DetachedProcess,
): Promise<RunningServer | undefined> {
  const begun = Date.now()
  for (;;) {
    const state = await withClient(port, readState).catch(() => undefined)
    const ours = state !== undefined && state.configFile === redisFiles(dataDir).config
    const identity = ours ? identifyProcess(state.pid) : undefined
    if (identity !== undefined && !state?.loading) return { ...identity, port }
    if (identity === undefined && !(await mayRun())) return undefined
    const timeoutMs = identity === undefined ? HANG_TIMEOUT_MS : START_TIMEOUT_MS
    if (Date.now() - begun > timeoutMs) {
      if (child !== undefined && isRunning(child.identity)) process.kill(child.identity.pid, 'SIGKILL')
      throw notAnswering(dataDir, port)
    }
    await sleep(POLL_MS)
  }
}

async function readState(client: Redis): Promise<RedisState> {
  const info = await client.info()
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  return {
    pid: Number(field('process_id')),
    configFile: field('config_file'),
    loading: field('loading') !== '0',
  }
}

/** One connection for one call: never tried again, never kept. */
async function withClient<T>(port: number, call: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    connectTimeout: CALL_TIMEOUT_MS,
    commandTimeout: CALL_TIMEOUT_MS,
    connectionName: 'observatory-embedded',
  })
  // What breaks the connection also rejects the call that waits for it.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await call(client)
  } finally {
    // On a connection that is closed already, disconnect() would wait two seconds for it to close.
    if (client.status !== 'end') client.disconnect()
  }
}

/** Redis shows its address as its command line. */
function isRedisOn(pid: number, port: number): boolean {
  return /(redis|valkey)-server .*:\d+/.test(commandLineOf(pid)) && commandLineOf(pid).includes(`:${port}`)
}

function startFailed(dataDir: string, why: string, cause?: unknown): ObservatoryError {
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `The embedded Redis in ${dataDir} did not start. Mend what its log says (${redisFiles(dataDir).log}), or set ` +
      `REDIS_URL to a Redis that runs. Its last lines:\n${why}`,
    { cause },
  )
}

function notAnswering(dataDir: string, port: number): ObservatoryError {
  const { pid, log } = redisFiles(dataDir)
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `The embedded Redis on port ${port} runs but does not answer. See ${log}; if it hangs, end it: kill -9 $(cat ${pid})`,
  )
}
