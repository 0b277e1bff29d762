import { readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf, ObservatoryError } from '../errors.ts'
import {
  commandLineOf,
  identifyProcess,
  isRunning,
  waitUntilGone,
  workingFolderOf,
} from '../process-identity.ts'
import { type DetachedProcess, spawnDetached } from './detached-process.ts'
import { findFreePort } from './free-port.ts'
import { findPostgresAccount, type PostgresAccount } from './postgres-account.ts'
import { untilPostgresAnswers } from './postgres-answer.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { type PostgresClusterOptions, postgresFiles, prepareCluster } from './postgres-cluster.ts'
import { EMBEDDED_POSTGRES_USER, readPassword } from './postgres-password.ts'
import type { RunningServer } from './servers-file.ts'

export interface StartPostgresOptions {
  readonly dataDir: string
  /** The bin folder of a PostgreSQL instead of the packaged one. */
  readonly bin?: string | undefined
  readonly firstPort: number
  readonly settings?: Readonly<Record<string, string>> | undefined
  /** Who runs it; by default whoever can. */
  readonly account?: PostgresAccount | undefined
}

const POLL_MS = 40
const STARTS_TRIED = 20
/** PostgreSQL's shutdown modes, and how long each gets: fast writes a checkpoint; immediate leaves recovery to the next start. */
const SHUTDOWNS = [
  ['SIGINT', 60_000],
  ['SIGQUIT', 10_000],
  ['SIGKILL', 5000],
] as const

/** The URL of the database `observatory` of the embedded server on `port`, password included. */
export async function embeddedDatabaseUrl(dataDir: string, port: number): Promise<string> {
  const password = (await readPassword(postgresFiles(dataDir).password)) ?? ''
  return `postgres://${EMBEDDED_POSTGRES_USER}:${password}@127.0.0.1:${port}/${EMBEDDED_POSTGRES_USER}`
}

/**
 * The PostgreSQL that runs on the cluster of `dataDir`, whoever started it, once it answers. What says so is PostgreSQL's own postmaster.pid; a stale
 * one is not believed, and one whose pid now belongs to some other program is removed, as PostgreSQL would believe it.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when it runs but does not answer.
 */
export async function findPostgres(dataDir: string): Promise<RunningServer | undefined> {
  const { cluster } = postgresFiles(dataDir)
  const { pid, port } = await readPostmasterPid(cluster)
  const identity = pid === undefined ? undefined : identifyProcess(pid)
  if (identity === undefined) return undefined
  if (!isPostmasterOf(identity.pid, cluster)) {
    await rm(join(cluster, 'postmaster.pid'), { force: true })
    return undefined
  }
  if (port !== undefined) return untilPostgresAnswers(dataDir, { ...identity, port })
  // The server writes its port a moment after its pid.
  await sleep(POLL_MS)
  return findPostgres(dataDir)
}

/**
 * Starts PostgreSQL on the cluster of `dataDir`, making it first if need be; gives back the one that runs if one does.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE or ERR_SERVER_UNSUITABLE, with the last lines of the server's log.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<RunningServer> {
  const { dataDir, settings } = options
  const binaries = await findPostgresBinaries(options.bin)
  const account = options.account ?? (await findPostgresAccount())
  const cluster = { dataDir, binaries, account, settings }
  await prepareCluster(cluster)
  let firstPort = options.firstPort
  for (let tried = 1; ; tried += 1) {
    const running = await findPostgres(dataDir)
    if (running !== undefined) return running
    const port = await findFreePort(firstPort)
    const server = await spawnPostgres(cluster, port)
    const answering = await firstAnswer(dataDir, server, port)
    if (answering !== undefined) return answering
    const tail = await server.logTail()
    if (tried === STARTS_TRIED || !isPassing(tail)) throw startFailed(dataDir, tail)
    if (/could not bind/.test(tail)) firstPort = port + 1
    else await sleep(500)
  }
}

/** Stops the server and waits until it is gone: fast shutdown first, harder ones when it does not follow. */
export async function stopPostgres(server: RunningServer): Promise<void> {
  for (const [signal, timeoutMs] of SHUTDOWNS) {
    if (!isRunning(server)) return
    process.kill(server.pid, signal)
    if (await waitUntilGone(server, timeoutMs)) return
  }
  throw new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `The embedded PostgreSQL (process ${server.pid}) does not end, not even by SIGKILL. End it by hand`,
  )
}

async function spawnPostgres(cluster: PostgresClusterOptions, port: number): Promise<DetachedProcess> {
  const { dataDir, account, binaries } = cluster
  const files = postgresFiles(dataDir)
  const [program = binaries.postgres, ...args] = [...account.prefix, binaries.postgres]
  const loopbackOnly = ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-p', `${port}`]
  return spawnDetached([program, ...args, '-D', files.cluster, ...loopbackOnly], {
    logFile: files.log,
    cwd: dataDir,
    uid: account.uid,
    gid: account.gid,
  }).catch((cause: unknown) => {
    throw startFailed(dataDir, messageOf(cause), cause)
  })
}

/** The started server, let go of, once it answers; undefined when it ended instead. One that hangs is ended. */
async function firstAnswer(
  dataDir: string,
  child: DetachedProcess,
  port: number,
): Promise<RunningServer | undefined> {
  const server = { ...child.identity, port }
  try {
    return await untilPostgresAnswers(dataDir, server)
  } catch (error) {
    await stopPostgres(server)
    throw error
  } finally {
    child.release()
  }
}

/** Its first line is the pid, its fourth the port. */
async function readPostmasterPid(
  cluster: string,
): Promise<{ pid?: number | undefined; port?: number | undefined }> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  const [pid, , , port] = text.split('\n').map((line) => (/^\d{1,10}$/.test(line) ? Number(line) : undefined))
  return { pid, port: port === 0 ? undefined : port }
}

/** A postmaster's working folder is its cluster. Where that cannot be told, any postgres is taken for it: that is the safe side. */
function isPostmasterOf(pid: number, cluster: string): boolean {
  const folder = workingFolderOf(pid)
  if (folder !== undefined) return folder === cluster
  return basename(commandLineOf(pid).split(' ')[0] ?? '').includes('postgres')
}

/**
 * What a next try may get over: somebody was faster to the port, or backends of a postmaster that was killed
 * still hold its shared memory for a moment.
 */
function isPassing(log: string): boolean {
  return /could not bind|pre-existing shared memory|lock file "postmaster\.pid" already exists/.test(log)
}

function startFailed(dataDir: string, why: string, cause?: unknown): ObservatoryError {
  const { log } = postgresFiles(dataDir)
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `The embedded PostgreSQL in ${dataDir} did not start. Mend what its log says (${log}), or set DATABASE_URL to a ` +
      `PostgreSQL that runs. Its last lines:\n${why}`,
    { cause },
  )
}
