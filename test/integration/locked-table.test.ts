import { afterAll, beforeAll, expect, test } from 'vitest'
import { openClient } from '../../src/postgres-connection.ts'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const IN_FLIGHT_MAX_BYTES = 256 * 1024
const ENTRY_BYTES = 1000
/** Far more than may be in flight. */
const LOGS = 2000
const SPANS = 50

let service: TestService

beforeAll(async () => {
  service = await startTestService({
    IN_FLIGHT_MAX_BYTES: String(IN_FLIGHT_MAX_BYTES),
    BATCH_MAX_BYTES: '65536',
    RECORD_MAX_BYTES: '65536',
    READ_BLOCK_MS: '50',
    // What one read brings comes on top of the limit.
    READ_COUNT: '16',
    BATCH_MAX_AGE_MS: '20',
  })
})
afterAll(() => service?.close())

const count = async (table: string) => {
  const [row] = await service.query<{ n: number }>(`select count(*)::int as n from ${table}`)
  return row?.n
}

test('a table that nobody can write to stops its own stream, and no other', async () => {
  const locker = await openClient({ databaseUrl: service.databaseUrl, applicationName: 'locker' })
  await locker.query('begin; lock table log_records in exclusive mode')
  const padding = 'x'.repeat(ENTRY_BYTES)
  const logs = service.redis.pipeline()
  for (let n = 0; n < LOGS; n += 1) logs.xadd(`${service.prefix}:logs`, '*', 'message', padding)
  await logs.exec()
  await eventually(async () => {
    const metrics = await (await service.get('/metrics')).text()
    const bytes = Number(/^observatory_in_flight_bytes\{signal="logs"\} (\d+)/m.exec(metrics)?.[1])
    expect(bytes).toBeGreaterThan(IN_FLIGHT_MAX_BYTES / 2)
    expect(bytes).toBeLessThan(IN_FLIGHT_MAX_BYTES)
  })

  const spans = service.redis.pipeline()
  for (let n = 1; n <= SPANS; n += 1) {
    const id = n.toString(16)
    const json = { traceId: id.padStart(32, '0'), spanId: id.padStart(16, '0'), name: `span ${n}` }
    spans.xadd(
      `${service.prefix}:traces`,
      '*',
      'json',
      JSON.stringify({ ...json, startTime: new Date().toISOString() }),
    )
  }
  await spans.exec()
  await eventually(async () => expect(await count('spans')).toBe(SPANS), { timeoutMs: 15_000 })

  await locker.query('rollback')
  await locker.end()
  await eventually(async () => expect(await count('log_records')).toBe(LOGS), { timeoutMs: 30_000 })
}, 60_000)
