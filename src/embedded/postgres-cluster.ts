import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { appendFile, chmod, lchown, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ObservatoryError } from '../errors.ts'
import { spawnDetached } from './detached-process.ts'
import { giveTo, type PostgresAccount } from './postgres-account.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { EMBEDDED_POSTGRES_USER, readOrMakePassword } from './postgres-password.ts'
import { replaceFile } from './servers-file.ts'

const INITDB_TIMEOUT_MS = 120_000

/**
 * For bulk ingest on a small machine. Few checkpoints, as each makes the next change of every page a full page in the WAL;
 * no wal_compression, as the processor is what runs out. log_min_messages leaves out ERROR: the
 * client that caused it reports it, a wrong statement in a loop must not fill the disk, and values stay out of the log.
 */
const SETTINGS = {
  max_connections: '100',
  shared_buffers: '256MB',
  maintenance_work_mem: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  wal_compression: 'off',
  fsync: 'on',
  synchronous_commit: 'on',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'log',
  log_checkpoints: 'off',
  cluster_name: 'observatory',
}

export interface PostgresClusterOptions {
  /** Holds the cluster (`postgres/`), its log and its password. */
  readonly dataDir: string
  readonly binaries: PostgresBinaries
  readonly account: PostgresAccount
  /** PostgreSQL settings over our own. Those of `ALTER SYSTEM` go before either. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/** The files of an embedded PostgreSQL in `dataDir`. */
export function postgresFiles(dataDir: string): { cluster: string; log: string; password: string } {
  return {
    cluster: join(dataDir, 'postgres'),
    log: join(dataDir, 'postgres.log'),
    password: join(dataDir, 'pgpass'),
  }
}

/**
 * Makes the cluster in `dataDir` if there is none, and writes its settings. Interrupted anywhere, it starts over: a
 * cluster comes to its place only when it is complete.
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when initdb fails, ERR_SERVER_UNSUITABLE for data without its password.
 */
export async function prepareCluster(options: PostgresClusterOptions): Promise<void> {
  const { dataDir, account } = options
  const { cluster, password } = postgresFiles(dataDir)
  // Another account has to come through to its cluster; what is beside it stays closed by its own mode.
  if (account.uid !== undefined) await chmod(dataDir, 0o711)
  if (!(await exists(cluster))) await makeCluster(options, cluster)
  else if (!(await exists(password))) {
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `${password}, the password of the data in ${cluster}, is gone. Restore it, or delete that folder to start anew`,
    )
  }
  await giveTo(account, cluster)
  await writeSettings(options, cluster)
}

async function makeCluster(options: PostgresClusterOptions, cluster: string): Promise<void> {
  const { dataDir, account, binaries } = options
  for (const name of await readdir(dataDir)) {
    if (name.startsWith('postgres.new-')) await rm(join(dataDir, name), { recursive: true, force: true })
  }
  const password = await readOrMakePassword(postgresFiles(dataDir).password)
  const draft = join(dataDir, `postgres.new-${randomUUID()}`)
  const passwordFile = `${draft}.password`
  try {
    await replaceFile(passwordFile, `${password}\n`)
    await giveTo(account, passwordFile)
    await runInitdb(options, draft, await localesToTry(binaries.initdb))
    await appendFile(join(draft, 'postgresql.conf'), "\ninclude = 'observatory.conf'\n")
    await writeSettings(options, draft)
    await rename(draft, cluster)
    await syncFolder(dataDir)
  } finally {
    await rm(passwordFile, { force: true })
  }
}

async function runInitdb(
  options: PostgresClusterOptions,
  draft: string,
  [locale = [], ...others]: readonly (readonly string[])[],
): Promise<void> {
  const { dataDir, account, binaries } = options
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { mode: 0o700 })
  await giveTo(account, draft)
  const [program = binaries.initdb, ...args] = [...account.prefix, binaries.initdb]
  const initdb = await spawnDetached(
    [program, ...args, '-D', draft, '-U', EMBEDDED_POSTGRES_USER, `--pwfile=${draft}.password`].concat(
      ['--auth=scram-sha-256', '--encoding=UTF8', '--data-checksums', '--no-instructions'],
      locale,
    ) as [string, ...string[]],
    { logFile: postgresFiles(dataDir).log, cwd: draft, uid: account.uid, gid: account.gid },
  ).catch((cause: unknown) => {
    throw initdbFailed(dataDir, 'it could not be run', cause)
  })
  const timeout = new AbortController()
  const code = await Promise.race([
    initdb.exited,
    sleep(INITDB_TIMEOUT_MS, 'timeout', { signal: timeout.signal }).catch(() => 'timeout'),
  ])
  timeout.abort()
  if (code === 'timeout') process.kill(initdb.identity.pid, 'SIGKILL')
  if (code === 0) return
  const tail = await initdb.logTail()
  if (/invalid locale/.test(tail) && others.length > 0) return runInitdb(options, draft, others)
  throw initdbFailed(dataDir, tail)
}

/** PostgreSQL 17 brought its own C.UTF-8; before it, the system may have one. */
async function localesToTry(initdb: string): Promise<string[][]> {
  const { stdout } = await promisify(execFile)(initdb, ['--version']).catch((cause: unknown) => {
    throw new ObservatoryError('ERR_SERVER_UNSUITABLE', `${initdb} does not run on this machine`, { cause })
  })
  const major = Number(/\d+/.exec(stdout)?.[0])
  if (major < 17) return [['--locale=C.UTF-8'], ['--locale=C']]
  return [['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']]
}

async function writeSettings(options: PostgresClusterOptions, cluster: string): Promise<void> {
  const { account } = options
  const file = join(cluster, 'observatory.conf')
  const lines = Object.entries({ ...SETTINGS, ...options.settings }).map(
    ([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`,
  )
  await replaceFile(
    file,
    `# Written anew at every start. Change settings with ALTER SYSTEM.\n${lines.join('')}`,
  )
  if (account.uid !== undefined && account.gid !== undefined) await lchown(file, account.uid, account.gid)
}

function initdbFailed(dataDir: string, why: string, cause?: unknown): ObservatoryError {
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `initdb could not make a PostgreSQL cluster in ${dataDir}. Free disk space or choose another folder, or set ` +
      `DATABASE_URL to a PostgreSQL that runs. initdb said:\n${why}`,
    { cause },
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** A rename is durable once the folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
