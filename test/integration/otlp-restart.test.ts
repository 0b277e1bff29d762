import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sleep } from '../../src/lifecycle.ts'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/free-port.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { select } from '../helpers/stored.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

const RESTARTS = 3
const SERVED_MS = 1200

let databaseUrl: string
let env: Record<string, string>
let port: number
let running: RunningCommand | undefined

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  const { prefix, redisUrl } = await createTestPrefix()
  port = await freePort()
  env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    STREAM_PREFIX: prefix,
    HTTP_PORT: String(port),
    SHUTDOWN_TIMEOUT_MS: '10000',
  }
})
afterEach(() => running?.kill())
afterAll(() => running?.kill())

async function serve(): Promise<RunningCommand> {
  running = new RunningCommand(['serve'], { env, cwd: '/tmp' })
  await running.says('"msg":"started"')
  return running
}

test('an application whose exports meet restarts of the service loses no span and finds none twice', async () => {
  let service = await serve()
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'restarted' }),
    spanProcessors: [
      new BatchSpanProcessor({
        // By default the SDK gives up what waits behind thirty exports, whatever the server does.
        exporter: new OTLPTraceExporter({
          url: `http://127.0.0.1:${port}/v1/traces`,
          timeoutMillis: 30_000,
          concurrencyLimit: 10_000,
        }),
        scheduledDelayMillis: 20,
        exportTimeoutMillis: 30_000,
        maxQueueSize: 1_000_000,
        maxExportBatchSize: 50,
      }),
    ],
  })
  const tracer = provider.getTracer('agent')
  const ids = new Set<string>()
  let isDone = false
  const application = (async () => {
    while (!isDone) {
      for (let each = 0; each < 20; each += 1) {
        const span = tracer.startSpan('call')
        ids.add(span.spanContext().spanId)
        span.end()
      }
      await sleep(10)
    }
  })()
  for (let restart = 0; restart < RESTARTS; restart += 1) {
    await sleep(SERVED_MS)
    // Every other time it has no chance to say goodbye.
    service.child.kill(restart % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
    await service.finished
    service = await serve()
  }
  await sleep(SERVED_MS)
  isDone = true
  await application
  await provider.forceFlush()
  await eventually(
    async () => {
      const [counts] = await select(
        databaseUrl,
        'select count(*)::int as rows, count(distinct span_id)::int as spans from spans',
      )
      expect(counts).toEqual({ rows: ids.size, spans: ids.size })
    },
    { timeoutMs: 30_000 },
  )
  await provider.shutdown()
  service.child.kill('SIGTERM')
  expect(await service.finished).toMatchObject({ code: 0 })
}, 120_000)
