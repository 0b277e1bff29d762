import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadSettings } from '../../src/config.ts'
import { joinServers } from '../../src/embedded/servers.ts'
import { createLogger } from '../../src/logger.ts'
import { type Service, startService } from '../../src/service.ts'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/free-port.ts'
import { withPostgres } from '../helpers/postgres.ts'

const ENTRIES = 40_000
const LIMIT_BYTES = 1024 * 1024
/** What one stream may hold of it: an eighth is kept for each of the other two. */
const ROOM_BYTES = (LIMIT_BYTES * 6) / 8
/** The size a reply is asked to have; one may come on top of the limit. */
const REPLY_BYTES = 2 * 1024 * 1024

let dataDir: string
let servers: Awaited<ReturnType<typeof joinOwnServers>>
let service: Service
let redis: Redis

let ports: { readonly postgresPort: number; readonly redisPort: number } | undefined
const joinOwnServers = async () => {
  ports ??= { postgresPort: await freePort(), redisPort: await freePort() }
  return joinServers({
    dataDir,
    postgres: true,
    redis: true,
    ...ports,
    ...(process.env.OBSERVATORY_TEST_POSTGRES_BIN && {
      postgresBin: process.env.OBSERVATORY_TEST_POSTGRES_BIN,
    }),
  })
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'observatory-stopped-'))
  servers = await joinOwnServers()
  const { databaseUrl = '', redisUrl = '' } = servers
  const env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    HTTP_PORT: '0',
    IN_FLIGHT_MAX_BYTES: String(LIMIT_BYTES),
    BATCH_MAX_BYTES: '262144',
    RECORD_MAX_BYTES: '65536',
  }
  const { settings } = loadSettings({ env, cwd: '/' })
  service = await startService({
    settings: { ...settings, databaseUrl, redisUrl },
    roles: ['ingest', 'api'],
    logger: createLogger({ level: 'error', pretty: false }),
    stopping: new AbortController().signal,
  })
  redis = new Redis(redisUrl)
})

afterAll(async () => {
  await service?.stop()
  redis?.disconnect()
  await servers?.leave()
  await rm(dataDir, { recursive: true, force: true })
})

async function addEntries(from: number, to: number): Promise<void> {
  const padding = 'x'.repeat(400)
  for (let number = from; number < to; number += 1000) {
    const pipeline = redis.pipeline()
    for (let each = number; each < number + 1000; each += 1) {
      pipeline.xadd('telemetry:logs', '*', 'service', 'load', 'message', `record ${each}`, 'padding', padding)
    }
    await pipeline.exec()
  }
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text()
  return Number(new RegExp(`^observatory_${name} (\\S+)$`, 'm').exec(text)?.[1])
}

describe('while PostgreSQL is away', () => {
  it('reading pauses at the limit of bytes in flight, XADD goes on, and afterwards every record is there once', async () => {
    await addEntries(0, 1000)
    const { pid } = JSON.parse(await readFile(join(dataDir, 'servers.json'), 'utf8')).postgres as {
      pid: number
    }
    process.kill(pid, 'SIGKILL')
    const rssBefore = process.memoryUsage().rss
    await addEntries(1000, ENTRIES)

    await eventually(
      async () =>
        expect(await metric('in_flight_bytes\\{signal="logs"\\}')).toBeGreaterThanOrEqual(ROOM_BYTES),
      { timeoutMs: 20_000 },
    )
    const held = await metric('in_flight_bytes\\{signal="logs"\\}')
    expect(held).toBeLessThan(ROOM_BYTES + REPLY_BYTES)
    const [pendingBefore] = (await redis.xpending('telemetry:logs', 'observatory')) as [number]
    await addEntries(ENTRIES, ENTRIES + 20_000)
    const [pendingAfter] = (await redis.xpending('telemetry:logs', 'observatory')) as [number]
    expect(pendingAfter).toBe(pendingBefore)
    expect(await metric('in_flight_bytes\\{signal="logs"\\}')).toBe(held)
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(150 * 1024 * 1024)
    const ready = await fetch(`${service.url}/readyz`)
    expect(ready.status).toBe(503)
    expect(await ready.text()).toContain('PostgreSQL')

    const again = await joinOwnServers()
    await eventually(
      async () => {
        const counts = await withPostgres(servers.databaseUrl ?? '', async (client) => {
          const { rows } = await client.query(
            'select count(*)::int as rows, count(distinct body)::int as bodies from log_records',
          )
          return rows[0]
        })
        expect(counts).toEqual({ rows: ENTRIES + 20_000, bodies: ENTRIES + 20_000 })
      },
      { timeoutMs: 60_000 },
    )
    expect(await metric('backpressure_paused_seconds_total')).toBeGreaterThan(0)
    await eventually(async () => expect((await fetch(`${service.url}/readyz`)).status).toBe(200))
    await again.leave()
  }, 120_000)
})
