import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { inject } from 'vitest'

/** As the suite's Redis is started with (start-servers.ts): more than there are test files. */
const REDIS_DATABASES = 256

export interface TestPrefix {
  /** For `STREAM_PREFIX`, and for keys of the test's own. */
  readonly prefix: string
  /** Names a Redis database that no other file uses at the same time. */
  readonly redisUrl: string
  /** Deletes the keys under the prefix now rather than after the file. */
  cleanup(): Promise<void>
}

/** The Redis of the suite; its database belongs to this file. */
export function testRedisUrl(): string {
  return `${inject('redisUrl')}/${databaseNumber()}`
}

/** A stream prefix of this test file's own. Its keys are deleted after the file, which fails if clients are left. */
export async function createTestPrefix(): Promise<TestPrefix> {
  const prefix = `test-${randomBytes(6).toString('hex')}`
  return { prefix, redisUrl: testRedisUrl(), cleanup: () => deleteKeys(prefix) }
}

/** Runs `work` with a connection to this file's Redis database, which is closed afterwards. */
export async function withRedis<T>(work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(testRedisUrl(), { connectionName: HARNESS, lazyConnect: true })
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.quit().catch(() => undefined)
  }
}

/** Who else is connected to this file's Redis database, a line each. */
export async function clientsOfThisFile(): Promise<string[]> {
  const lines = await withRedis(listClients)
  return lines.map((line) => `Redis client: ${line.match(/ (name|age|cmd)=\S*/g)?.join('')}`)
}

/**
 * Ids of who else is connected to this file's Redis database and whose line in CLIENT LIST matches, for CLIENT KILL: by type it would cut off the
 * files that run beside this one.
 */
export async function clientIdsOfThisFile(which: RegExp): Promise<string[]> {
  const lines = await withRedis(listClients)
  return lines.filter((line) => which.test(line)).map((line) => /\bid=(\d+)/.exec(line)?.[1] ?? '')
}

async function listClients(client: Redis): Promise<string[]> {
  const list = (await client.client('LIST')) as string
  return list
    .split('\n')
    .filter((line) => line.includes(` db=${databaseNumber()} `) && !line.includes(` name=${HARNESS} `))
}

/** Empties this file's Redis database. */
export async function emptyRedis(): Promise<void> {
  await withRedis((client) => client.flushdb())
}

const HARNESS = 'observatory-test-harness'

/** Each file has a worker of its own. The number of its pool is no use: it is given on while the file's last hooks still run. */
function databaseNumber(): number {
  return Number(process.env.VITEST_WORKER_ID ?? 1) % REDIS_DATABASES
}

async function deleteKeys(prefix: string): Promise<void> {
  await withRedis(async (client) => {
    for await (const keys of client.scanStream({ match: `*${prefix}*`, count: 1000 })) {
      if (keys.length > 0) await client.unlink(...(keys as string[]))
    }
  })
}
