import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadSettings } from '../../src/config.ts'
import { createLogger } from '../../src/logger.ts'
import { type Service, startService } from '../../src/service.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

let databaseUrl: string
let prefix: string
let service: Service
let redis: Redis

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  const stream = await createTestPrefix()
  prefix = stream.prefix
  redis = new Redis(stream.redisUrl)
  const { settings } = loadSettings({
    env: { DATABASE_URL: databaseUrl, REDIS_URL: stream.redisUrl, STREAM_PREFIX: prefix, HTTP_PORT: '0' },
    cwd: '/',
  })
  service = await startService({
    settings: { ...settings, databaseUrl, redisUrl: stream.redisUrl },
    roles: ['ingest', 'api'],
    logger: createLogger({ level: 'warn' }),
    stopping: new AbortController().signal,
  })
})

afterAll(async () => {
  await service?.stop()
  redis?.disconnect()
})

const query = (text: string, values: unknown[] = []) =>
  withPostgres(databaseUrl, async (client) => (await client.query(text, values)).rows)

describe('ingest', () => {
  it('makes a row of what a person types with redis-cli, within a second', async () => {
    const fields = ['service', 'api', 'level', 'error', 'message', 'boom', 'user.id', '42']
    await redis.xadd(`${prefix}:logs`, '*', ...fields)
    const rows = await eventually(
      async () => {
        const found = await query('select severity_number, service, body, attributes from log_records')
        expect(found).toHaveLength(1)
        return found
      },
      { timeoutMs: 1000 },
    )
    expect(rows).toEqual([
      { severity_number: 17, service: 'api', body: 'boom', attributes: { 'user.id': '42' } },
    ])
  })
})
