import { mkdir, readFile, rm } from 'node:fs/promises'
import { ReplyError } from 'ioredis'
import { messageOf, ObservatoryError } from '../errors.ts'
import { commandLineOf, identifyProcess, isRunning, waitUntilGone } from '../process-identity.ts'
import { type DetachedProcess, spawnDetached } from './detached-process.ts'
import { findFreePort } from './free-port.ts'
import { callRedis, redisFiles, untilRedisAnswers } from './redis-answer.ts'
import { findRedisBinary } from './redis-binary.ts'
import { type RunningServer, replaceFile } from './servers-file.ts'

export interface StartRedisOptions {
  readonly dataDir: string
  readonly firstPort: number
  /** Lines of redis.conf after our own. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

const SHUTDOWN_TIMEOUT_MS = 60_000
const STARTS_TRIED = 20

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
  return untilRedisAnswers(dataDir, port, async () => {
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
    const answering = await firstAnswer(dataDir, server, port)
    if (answering !== undefined) return answering
    const tail = await server.logTail()
    if (tried === STARTS_TRIED || !/Address already in use/.test(tail)) throw startFailed(dataDir, tail)
    firstPort = port + 1
  }
}

/**
 * Stops the server, its append-only file flushed, and waits until it is gone.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when it does not end. It is not killed: Redis refuses to end when it cannot
 *   write (a full disk), and then what it holds is nowhere else.
 */
export async function stopRedis(dataDir: string, server: RunningServer): Promise<void> {
  const files = redisFiles(dataDir)
  const refused = await callRedis(server.port, (client) => client.shutdown()).catch((error: unknown) => error)
  if (!(await waitUntilGone(server, refused instanceof ReplyError ? 0 : SHUTDOWN_TIMEOUT_MS))) {
    throw new ObservatoryError(
      'ERR_SERVER_UNREACHABLE',
      `The embedded Redis (process ${server.pid}) does not stop. Mend what its log says (${files.log}), or give up what ` +
        `it has not written yet: kill -9 ${server.pid}`,
      { cause: refused },
    )
  }
  await rm(files.config, { force: true })
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

/** The started server, let go of, once it answers; undefined when it ended instead. One that hangs is ended. */
async function firstAnswer(
  dataDir: string,
  child: DetachedProcess,
  port: number,
): Promise<RunningServer | undefined> {
  try {
    return await untilRedisAnswers(dataDir, port, async () => !child.hasExited())
  } catch (error) {
    if (isRunning(child.identity)) process.kill(child.identity.pid, 'SIGKILL')
    throw error
  } finally {
    child.release()
  }
}

/** Redis shows its address as its command line. */
function isRedisOn(pid: number, port: number): boolean {
  return new RegExp(`(redis|valkey)-server .*:${port}\\b`).test(commandLineOf(pid))
}

function startFailed(dataDir: string, why: string, cause?: unknown): ObservatoryError {
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `The embedded Redis in ${dataDir} did not start. Mend what its log says (${redisFiles(dataDir).log}), or set ` +
      `REDIS_URL to a Redis that runs. Its last lines:\n${why}`,
    { cause },
  )
}
