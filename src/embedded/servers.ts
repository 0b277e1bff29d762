/*
 * none --join--> running (users: A) --join--> running (users: A, B) --leave--> running (users: B) --leave--> none
 *
 * A user that died without leaving counts as gone, whoever looks next; servers whose users all died go on until somebody
 * joins and leaves. Whether a server runs is read from the server's own files (postmaster.pid, redis.conf), never
 * believed from servers.json, so that losing or forging that file cannot start a second server on the same data.
 */
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, realpath, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf, ObservatoryError } from '../errors.ts'
import { isRunning, ownIdentity } from '../process-identity.ts'
import { withFileLock } from './file-lock.ts'
import { embeddedDatabaseUrl, findPostgres, startPostgres, stopPostgres } from './postgres.ts'
import { embeddedRedisUrl, findRedis, startRedis, stopRedis } from './redis.ts'
import { type RunningServer, readServersFile, type ServerUser, writeServersFile } from './servers-file.ts'

/** Beside PostgreSQL's 5432 and Redis' 6379, so that servers of the machine are never mistaken for ours. */
const POSTGRES_PORT = 15432
const REDIS_PORT = 16379
/** Others may be starting (recovery after a crash) or stopping (a checkpoint) the servers meanwhile. */
const LOCK_TIMEOUT_MS = 360_000

export interface JoinServersOptions {
  /** Holds data, logs, password and `servers.json`; made if missing, closed to others. */
  readonly dataDir: string
  readonly postgres: boolean
  readonly redis: boolean
  /** The bin folder of a PostgreSQL to use instead of the packaged one. */
  readonly postgresBin?: string | undefined
  /** The first port of 127.0.0.1 to try; 15432 by default. */
  readonly postgresPort?: number | undefined
  /** The first port of 127.0.0.1 to try; 16379 by default. */
  readonly redisPort?: number | undefined
  /** PostgreSQL settings over the embedded server's own, should this call start it. */
  readonly postgresSettings?: Readonly<Record<string, string>> | undefined
  /** redis.conf settings over the embedded server's own, should this call start it. */
  readonly redisSettings?: Readonly<Record<string, string>> | undefined
  /** Takes a line for each thing that is started, joined or stopped. */
  readonly log?: ((line: string) => void) | undefined
}

export interface JoinedServers {
  /** Holds the password; undefined when PostgreSQL was not asked for. */
  readonly databaseUrl?: string
  readonly redisUrl?: string
  /** Ends this use; the last one out stops the servers and waits until they are gone. May be called twice. */
  leave(): Promise<void>
}

interface Running {
  readonly postgres?: RunningServer | undefined
  readonly redis?: RunningServer | undefined
}

/**
 * Joins the embedded servers of `dataDir`, and starts those of the wanted ones that do not run.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when one does not start or answer (what this call had started is stopped
 *   again), ERR_SERVER_UNSUITABLE when this machine lacks what is needed.
 */
export async function joinServers(options: JoinServersOptions): Promise<JoinedServers> {
  const dataDir = await prepareFolder(options.dataDir)
  const user: ServerUser = { ...ownIdentity(), id: randomUUID() }
  const lock = join(dataDir, 'servers.lock')
  const running = await withFileLock(lock, LOCK_TIMEOUT_MS, () => enter({ ...options, dataDir }, user))
  let left: Promise<void> | undefined
  return {
    ...(options.postgres && running.postgres
      ? { databaseUrl: await embeddedDatabaseUrl(dataDir, running.postgres.port) }
      : {}),
    ...(options.redis && running.redis ? { redisUrl: embeddedRedisUrl(running.redis.port) } : {}),
    leave: () => {
      left ??= withFileLock(lock, LOCK_TIMEOUT_MS, () => depart({ ...options, dataDir }, user))
      return left
    },
  }
}

async function enter(options: JoinServersOptions, user: ServerUser): Promise<Running> {
  const { dataDir } = options
  const file = join(dataDir, 'servers.json')
  const known = await readServersFile(file)
  const others = known.users.filter(isRunning)
  const started: (() => Promise<void>)[] = []
  try {
    const redis = await enterRedis(options, started)
    const postgres = await enterPostgres(options, known.postgres?.port, started)
    await writeServersFile(file, { postgres, redis, users: [...others, user] })
    return { postgres, redis }
  } catch (error) {
    // What went wrong first is what there is to say; a server that does not stop is met again by whoever joins next.
    await (others.length > 0 ? allOf(started.map((stop) => stop())) : stopAll(options)).catch(() => undefined)
    throw error
  }
}

async function enterRedis(
  options: JoinServersOptions,
  started: (() => Promise<void>)[],
): Promise<RunningServer | undefined> {
  const { dataDir, log = () => undefined } = options
  const found = await findRedis(dataDir)
  if (found !== undefined || !options.redis) return found
  const settings = options.redisSettings
  const redis = await startRedis({ dataDir, firstPort: options.redisPort ?? REDIS_PORT, settings })
  started.push(() => stopRedis(dataDir, redis))
  log(`Redis started on 127.0.0.1:${redis.port}`)
  return redis
}

/** A server that crashed while others use it comes back on the port they know. */
async function enterPostgres(
  options: JoinServersOptions,
  knownPort: number | undefined,
  started: (() => Promise<void>)[],
): Promise<RunningServer | undefined> {
  const { dataDir, log = () => undefined } = options
  const found = await findPostgres(dataDir)
  if (found !== undefined || !options.postgres) return found
  const firstPort = knownPort ?? options.postgresPort ?? POSTGRES_PORT
  const settings = options.postgresSettings
  const postgres = await startPostgres({ dataDir, bin: options.postgresBin, firstPort, settings })
  started.push(() => stopPostgres(postgres))
  log(`PostgreSQL started on 127.0.0.1:${postgres.port}`)
  return postgres
}

async function depart(options: JoinServersOptions, user: ServerUser): Promise<void> {
  const file = join(options.dataDir, 'servers.json')
  const known = await readServersFile(file)
  const users = known.users.filter((other) => other.id !== user.id && isRunning(other))
  await writeServersFile(file, { ...known, users })
  if (users.length > 0) return
  await stopAll(options)
  await rm(file, { force: true })
}

/** Stops whatever runs on the folder's data, whoever started it. */
async function stopAll({ dataDir, log = () => undefined }: JoinServersOptions): Promise<void> {
  const stopping = [
    findPostgres(dataDir).then(async (postgres) => {
      if (postgres === undefined) return
      await stopPostgres(postgres)
      log('PostgreSQL stopped')
    }),
    findRedis(dataDir).then(async (redis) => {
      if (redis === undefined) return
      await stopRedis(dataDir, redis)
      log('Redis stopped')
    }),
  ]
  await allOf(stopping)
}

/** Waits for all of them, then throws what the first failed one threw. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** The folder's real path. @throws ObservatoryError ERR_SERVER_UNSUITABLE when it cannot be the servers' own. */
async function prepareFolder(path: string): Promise<string> {
  try {
    return await closedFolder(path)
  } catch (cause) {
    if (cause instanceof ObservatoryError) throw cause
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `${resolve(path)} cannot be the folder of embedded servers: ${messageOf(cause)}. Name another one by DATA_DIR`,
      { cause },
    )
  }
}

/** Closed to others: made so, or closed now when others could write to it. */
async function closedFolder(path: string): Promise<string> {
  if ((await mkdir(path, { recursive: true, mode: 0o700 })) === undefined) {
    const { mode } = await stat(path)
    if (mode & 0o1000) {
      throw new ObservatoryError(
        'ERR_SERVER_UNSUITABLE',
        `${path} is shared with other accounts, so that the data of embedded servers must not lie in it. Name a folder of its own`,
      )
    }
    if (mode & 0o022) await chmod(path, 0o700)
  }
  return realpath(path)
}
