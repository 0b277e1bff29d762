import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { embeddedDatabaseUrl, startPostgres, stopPostgres } from '../../src/embedded/postgres.ts'
import { findOtherAccount } from '../../src/embedded/postgres-account.ts'
import { untilPostgresAnswers } from '../../src/embedded/postgres-answer.ts'
import { type JoinedServers, type JoinServersOptions, joinServers } from '../../src/embedded/servers.ts'
import { readServersFile, type ServersFile } from '../../src/embedded/servers-file.ts'
import {
  commandLineOf,
  identifyProcess,
  isRunning,
  ownIdentity,
  workingFolderOf,
} from '../../src/process-identity.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'

const postgresBin = process.env.OBSERVATORY_TEST_POSTGRES_BIN
const FIRST_PORTS = { postgresPort: 28432, redisPort: 28379 }
const USER = new URL('../helpers/join-servers-process.ts', import.meta.url).pathname
const LOADER = new URL('../helpers/typescript-loader.mjs', import.meta.url).href

let base: string
/** A data folder as it is after a first use: most tests start from a copy, which is faster than initdb. */
let usedDataDir: string
let dataDir: string
let joined: JoinedServers[]
let users: ChildProcess[]

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'observatory-embedded-')))
  usedDataDir = join(base, 'used')
  const servers = await joinServers({
    dataDir: usedDataDir,
    postgres: true,
    redis: true,
    postgresBin,
    ...FIRST_PORTS,
  })
  await servers.leave()
})

afterAll(async () => {
  await rm(base, { recursive: true, force: true })
})

beforeEach(async () => {
  dataDir = join(base, 'data')
  execFileSync('cp', ['-a', usedDataDir, dataDir])
  joined = []
  users = []
})

afterEach(async () => {
  for (const user of users) user.kill('SIGKILL')
  const last = await joinServers({ dataDir, postgres: false, redis: false })
  for (const servers of [...joined, last]) await servers.leave()
  expect(await processesIn(dataDir), 'left running').toEqual([])
  await rm(dataDir, { recursive: true, force: true })
})

describe('joining', () => {
  test('the first one to join starts PostgreSQL and Redis', async () => {
    await rm(dataDir, { recursive: true })
    const { databaseUrl = '', redisUrl = '' } = await enter({ postgresSettings: {} })
    const settings = await withPostgres(databaseUrl, async (client) => {
      const { rows } = await client.query(
        `select current_database() as database, current_setting('server_encoding') as encoding,
           current_setting('timezone') as timezone, current_setting('data_checksums') as checksums,
           current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
           current_setting('unix_socket_directories') as sockets, current_setting('listen_addresses') as listen,
           lower('ÄÖÜ') as lower`,
      )
      return rows[0]
    })
    expect(settings).toEqual({
      database: 'observatory',
      encoding: 'UTF8',
      timezone: 'UTC',
      checksums: 'on',
      fsync: 'on',
      commit: 'on',
      sockets: '',
      listen: '127.0.0.1',
      lower: 'äöü',
    })
    const config = await redis(redisUrl, (client) =>
      client.config('GET', 'append*', 'maxmemory-policy', 'bind', 'save'),
    )
    expect(config).toEqual(
      expect.arrayContaining([
        'appendonly',
        'yes',
        'appendfsync',
        'everysec',
        'maxmemory-policy',
        'noeviction',
      ]),
    )
    expect(config).toEqual(expect.arrayContaining(['bind', '127.0.0.1', 'save', '']))
  })

  test('nobody but the owner can read the password, and no command line shows it', async () => {
    await rm(dataDir, { recursive: true })
    const { databaseUrl = '' } = await enter()
    const { password } = new URL(databaseUrl)
    expect(password.length).toBeGreaterThanOrEqual(32)
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
    expect((await stat(join(dataDir, 'pgpass'))).mode & 0o777).toBe(0o600)
    expect((await stat(join(dataDir, 'servers.json'))).mode & 0o777).toBe(0o600)
    expect((await processesIn(dataDir)).join('\n')).not.toContain(password)
    expect(await readFile(join(dataDir, 'servers.json'), 'utf8')).not.toContain(password)
    expect(await readFile(join(dataDir, 'postgres.log'), 'utf8')).not.toContain(password)
    const wrong = databaseUrl.replace(password, 'wrong')
    await expect(withPostgres(wrong, (client) => client.query('select 1'))).rejects.toMatchObject({
      code: '28P01',
    })
  })

  test('one process after another shares the servers, and the last one out stops them', async () => {
    const first = await enter()
    const second = await spawnUser()
    const { postgres, redis } = await serversFile()
    expect(second.urls).toEqual({ databaseUrl: first.databaseUrl, redisUrl: first.redisUrl })
    await first.leave()
    expect([isRunning(postgres!), isRunning(redis!)]).toEqual([true, true])
    second.process.stdin?.write('leave\n')
    expect(await once(second.process, 'exit')).toEqual([0, null])
    expect([isRunning(postgres!), isRunning(redis!)]).toEqual([false, false])
    expect(existsSync(join(dataDir, 'servers.json'))).toBe(false)
  })

  test('many who join and leave at once get the same servers and leave none behind', async () => {
    const urls = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const servers = await enter()
        await redis(servers.redisUrl!, (client) => client.incr('joined'))
        if (index % 2 === 0) await servers.leave()
        return servers.databaseUrl
      }),
    )
    expect(new Set(urls).size).toBe(1)
    expect((await serversFile()).users).toHaveLength(4)
    await Promise.all(joined.map((servers) => servers.leave()))
    expect(await processesIn(dataDir)).toEqual([])
  })

  test('whoever needs only one of them starts only that one', async () => {
    await rm(dataDir, { recursive: true })
    const { databaseUrl, redisUrl } = await enter({ postgres: false })
    expect(databaseUrl).toBeUndefined()
    expect(redisUrl).toBeDefined()
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
  })

  test('a port that is taken is left alone for the next one', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    try {
      const { databaseUrl = '', redisUrl = '' } = await enter({ postgresPort: port, redisPort: port })
      const ports = [databaseUrl, redisUrl].map((url) => Number(new URL(url).port))
      expect(Math.min(...ports)).toBeGreaterThan(port)
      expect(new Set(ports).size).toBe(2)
    } finally {
      taken.close()
    }
  })

  test('a PostgreSQL that lost the race for its port to another one has ended, however that one answers', async () => {
    const loser = spawn('sleep', ['0.3'])
    users.push(loser)
    const server = { ...identifyProcess(loser.pid!)!, port: await portThatRefusesOurPassword() }
    expect(await untilPostgresAnswers(dataDir, server)).toBeUndefined()
  })

  test('a PostgreSQL that runs on and refuses our password is not waited for long', async () => {
    const startMs = performance.now()
    const server = { ...ownIdentity(), port: await portThatRefusesOurPassword() }
    await expect(untilPostgresAnswers(dataDir, server)).rejects.toMatchObject({
      code: 'ERR_SERVER_UNREACHABLE',
      message: expect.stringMatching(/runs but does not let us in: password authentication failed/),
    })
    expect(performance.now() - startMs).toBeLessThan(6000)
  })

  test('rows and entries are there again after the servers were stopped and started', async () => {
    const first = await enter()
    await withPostgres(first.databaseUrl!, (client) =>
      client.query('create table kept as select 42 as answer'),
    )
    await redis(first.redisUrl!, (client) => client.xadd('kept', '1-1', 'answer', '42'))
    await first.leave()
    expect(await processesIn(dataDir)).toEqual([])
    await expectKept(await enter())
  })
})

describe('after a crash', () => {
  test('a user that was killed counts as gone', async () => {
    const user = await spawnUser()
    const servers = await enter()
    user.process.kill('SIGKILL')
    await once(user.process, 'exit')
    await servers.leave()
    expect(await processesIn(dataDir)).toEqual([])
  })

  test('Ctrl-C in the terminal of a user does not reach the servers', async () => {
    const user = await spawnUser()
    const { postgres, redis } = await serversFile()
    process.kill(-user.process.pid!, 'SIGINT')
    await once(user.process, 'exit')
    expect([isRunning(postgres!), isRunning(redis!)]).toEqual([true, true])
    const servers = await enter()
    expect(await serversFile()).toMatchObject({ postgres, redis, users: [{ pid: process.pid }] })
    await servers.leave()
  })

  test('a process that was killed while it started the servers blocks nobody', async () => {
    await rm(dataDir, { recursive: true })
    for (const momentMs of [0, 100, 400]) {
      const user = spawnUserProcess()
      await eventually(() => expect(existsSync(join(dataDir, 'redis.log'))).toBe(true), { timeoutMs: 30_000 })
      await new Promise((resolve) => setTimeout(resolve, momentMs))
      user.kill('SIGKILL')
      await once(user, 'exit')
    }
    const servers = await enter()
    await withPostgres(servers.databaseUrl!, (client) => client.query('select 1'))
    await servers.leave()
    expect((await readdir(dataDir)).filter((name) => /lock|new-/.test(name))).toEqual([])
  })

  test('a lock whose dead owner had the pid that somebody else has now is not believed', async () => {
    await enter({ postgres: false }).then((servers) => servers.leave())
    await symlink(`${process.pid}:1@earlier`, join(dataDir, 'servers.lock'))
    await symlink(`${process.pid}:1@earlier`, join(dataDir, 'servers.lock.dead'))
    await enter({ postgres: false })
  })

  test('servers that were killed start again on the same ports with their data', async () => {
    const first = await enter({ postgresPort: 28532, redisPort: 28479 })
    await withPostgres(first.databaseUrl!, (client) =>
      client.query('create table kept as select 42 as answer'),
    )
    await redis(first.redisUrl!, (client) => client.xadd('kept', '1-1', 'answer', '42'))
    await killServers()
    const second = await enter()
    expect([second.databaseUrl, second.redisUrl]).toEqual([first.databaseUrl, first.redisUrl])
    await expectKept(second)
  })

  test('postmaster.pid and servers.json from before a reboot do not stop a start', async () => {
    await enter()
    await killServers()
    const pidFile = join(dataDir, 'postgres', 'postmaster.pid')
    const lines = (await readFile(pidFile, 'utf8')).split('\n')
    // The pid that PostgreSQL had belongs to another program of this user, not to one that PostgreSQL descends from.
    const other = spawn('sleep', ['600'])
    users.push(other)
    await writeFile(pidFile, [other.pid, ...lines.slice(1)].join('\n'))
    const reused = { pid: other.pid, start: '1@earlier' }
    const stale = {
      postgres: { ...reused, port: 1 },
      redis: { ...reused, port: 1 },
      users: [{ ...reused, id: 'x' }],
    }
    await writeFile(join(dataDir, 'servers.json'), JSON.stringify(stale))
    const servers = await enter()
    await withPostgres(servers.databaseUrl!, (client) => client.query('select 1'))
    expect((await serversFile()).users).toEqual([expect.objectContaining(identifyProcess(process.pid)!)])
  })

  test('servers that run are found again, whatever servers.json says', async () => {
    await enter()
    const { postgres, redis } = await serversFile()
    const forged = JSON.stringify({ users: { length: 9 }, postgres: { pid: {}, port: -1 } })
    for (const content of ['', '{', '[]', 'null', forged]) {
      await writeFile(join(dataDir, 'servers.json'), content)
      await enter()
      expect(await serversFile()).toMatchObject({ postgres, redis, users: [{ pid: process.pid }] })
    }
    await rm(join(dataDir, 'servers.json'))
    await enter()
    expect(await serversFile()).toMatchObject({ postgres, redis })
  })

  test('when PostgreSQL cannot start, Redis is stopped again and the error says why', async () => {
    const attempt = enter({ postgresSettings: { shared_buffers: 'plenty' } })
    await expect(attempt).rejects.toMatchObject({
      code: 'ERR_SERVER_UNREACHABLE',
      message: expect.stringMatching(/DATABASE_URL.*invalid value for parameter "shared_buffers": "plenty"/s),
    })
    expect(await processesIn(dataDir)).toEqual([])
    await withPostgres((await enter()).databaseUrl!, (client) => client.query('select 1'))
  })
})

describe.runIf(process.getuid?.() === 0)('as root', () => {
  test('PostgreSQL runs as another account where user namespaces are refused, and back', async () => {
    const options = { dataDir, bin: postgresBin, firstPort: FIRST_PORTS.postgresPort }
    await chmod(base, 0o711)
    const server = await startPostgres({ ...options, account: await findOtherAccount() })
    expect(await readFile(`/proc/${server.pid}/status`, 'utf8')).not.toMatch(/^Uid:\t0\t/m)
    await stopPostgres(server)
    const { databaseUrl = '' } = await enter({ redis: false })
    await withPostgres(databaseUrl, (client) => client.query('select 1'))
  })
})

async function enter(options: Partial<JoinServersOptions> = {}): Promise<JoinedServers> {
  const servers = await joinServers({
    dataDir,
    postgres: true,
    redis: true,
    postgresBin,
    ...FIRST_PORTS,
    ...options,
  })
  joined.push(servers)
  return servers
}

/** That of the suite's PostgreSQL, which has the same user with another password. */
async function portThatRefusesOurPassword(): Promise<number> {
  const url = new URL(inject('adminUrl'))
  url.password = new URL(await embeddedDatabaseUrl(dataDir, 0)).password
  await expect(withPostgres(url.href, (client) => client.query('select 1'))).rejects.toMatchObject({
    code: '28P01',
  })
  return Number(url.port)
}

/** In a process group of its own, as a shell gives to each command. */
function spawnUserProcess(): ChildProcess {
  const user = spawn(process.execPath, ['--import', LOADER, USER, dataDir], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  users.push(user)
  return user
}

async function spawnUser(): Promise<{ process: ChildProcess; urls: unknown }> {
  const user = spawnUserProcess()
  const [line] = await once(user.stdout!, 'data')
  return { process: user, urls: JSON.parse(String(line)) }
}

function serversFile(): Promise<ServersFile> {
  return readServersFile(join(dataDir, 'servers.json'))
}

async function killServers(): Promise<void> {
  const { postgres, redis } = await serversFile()
  for (const server of [postgres!, redis!]) process.kill(server.pid, 'SIGKILL')
  await eventually(() => expect([isRunning(postgres!), isRunning(redis!)]).toEqual([false, false]))
}

async function expectKept(servers: JoinedServers): Promise<void> {
  const { rows } = await withPostgres(servers.databaseUrl!, (client) =>
    client.query('select answer from kept'),
  )
  expect(rows).toEqual([{ answer: 42 }])
  expect(await redis(servers.redisUrl!, (client) => client.xrange('kept', '-', '+'))).toEqual([
    ['1-1', ['answer', '42']],
  ])
}

async function redis<T>(url: string, call: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url)
  try {
    return await call(client)
  } finally {
    await client.quit()
  }
}

/** Everything that runs in the folder or below, by the working folder that servers keep. */
async function processesIn(folder: string): Promise<string[]> {
  return (await readdir('/proc'))
    .filter((name) => /^\d+$/.test(name) && workingFolderOf(Number(name))?.startsWith(folder))
    .map((pid) => `${pid} ${commandLineOf(Number(pid))}`)
}
