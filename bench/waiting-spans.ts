import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import pg from 'pg'
import { joinServers } from '../src/embedded/servers.ts'
import { migrate } from '../src/migrate.ts'

/*
 * 300,000 spans wait in the stream: how many rows/s does the service ingest, with the ledger, validation and dead letters on, beside
 * `psql \copy` of the very same rows into the same tables? In one run, alternating, median of three.
 *
 *   npm run bench [-- ROWS]
 */

const ROWS = Number(process.argv[2] ?? 300_000)
const ROUNDS = 3
const LAUNCHER = fileURLToPath(new URL('../bin/observatory.js', import.meta.url))
const MODELS = ['gpt-4o', 'claude-sonnet-4', 'gemini-2.5-pro']
const run = promisify(execFile)

const dataDir = await mkdtemp(join(tmpdir(), 'observatory-bench-'))
const servers = await joinServers({
  dataDir,
  postgres: true,
  redis: true,
  postgresPort: 45_432,
  redisPort: 46_379,
})
const { databaseUrl = '', redisUrl = '' } = servers
const redis = new Redis(redisUrl)
const database = new pg.Client({ connectionString: databaseUrl })
try {
  await database.connect()
  await migrate({ databaseUrl })
  const bytes = await fillStream()
  const rowsFile = join(dataDir, 'rows.txt')
  const ingest: number[] = []
  const copyOne: number[] = []
  const copyTwo: number[] = []
  let peakRssMb = 0
  for (let round = 1; round <= ROUNDS; round += 1) {
    const result = await ingestOnce()
    ingest.push(result.rowsPerSecond)
    peakRssMb = Math.max(peakRssMb, result.peakRssMb)
    if (round === 1) await psql(`\\copy (select * from spans) to '${rowsFile}'`)
    copyOne.push(await copyOnce([rowsFile]))
    copyTwo.push(await copyOnce(await halves(rowsFile)))
    console.error(
      `round ${round}: ingest ${ingest.at(-1)}, \\copy ${copyOne.at(-1)}, \\copy on two ${copyTwo.at(-1)} rows/s`,
    )
  }
  const { rows } = await database.query('show server_version')
  console.log(
    `PostgreSQL ${rows[0]?.server_version}, Node.js ${process.version}, ${cpus().length} x ${cpus()[0]?.model}`,
  )
  console.log(
    `${ROWS} spans, ${Math.round(bytes / ROWS)} bytes of JSON each, one a stream entry; medians of ${ROUNDS}`,
  )
  const base = median(copyOne)
  report('service, 2 write connections', median(ingest), base)
  report('psql \\copy text, 1 connection', base, base)
  report('psql \\copy text, 2 connections', median(copyTwo), base)
  console.log(`peak RSS of the service: ${peakRssMb} MB`)
} finally {
  redis.disconnect()
  await database.end()
  await servers.leave()
  await rm(dataDir, { recursive: true, force: true })
}

function report(what: string, rowsPerSecond: number, base: number): void {
  console.log(`${what.padEnd(32)} ${(rowsPerSecond / base).toFixed(2)} x   ${rowsPerSecond} rows/s`)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function span(index: number, now: number): string {
  const start = now - Math.floor((index / ROWS) * 3_600_000)
  const model = MODELS[index % MODELS.length]
  return JSON.stringify({
    traceId: randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    parentSpanId: randomBytes(8).toString('hex'),
    name: `chat ${model}`,
    kind: 'client',
    startTimeUnixNano: `${start}000000`,
    endTimeUnixNano: `${start + 100 + (index % 5000)}000000`,
    status: index % 50 === 0 ? 'error' : 'ok',
    service: ['gateway', 'agent', 'tools'][index % 3],
    resource: {
      attributes: {
        'service.version': '1.4.2',
        'deployment.environment.name': 'production',
        'host.name': `node-${index % 4}`,
      },
    },
    scope: { name: 'openllm', version: '0.3.1' },
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': model,
      'gen_ai.usage.input_tokens': index % 4000,
      'gen_ai.usage.output_tokens': index % 800,
      'gen_ai.conversation.id': `conversation-${index % 5000}`,
      'user.id': `user-${index % 800}`,
      'http.response.status_code': 200,
      'server.address': 'api.openai.com',
    },
  })
}

async function fillStream(): Promise<number> {
  let bytes = 0
  const now = Date.now()
  for (let from = 0; from < ROWS; from += 2000) {
    const pipeline = redis.pipeline()
    for (let index = from; index < Math.min(ROWS, from + 2000); index += 1) {
      const json = span(index, now)
      bytes += json.length
      pipeline.xadd('telemetry:traces', '*', 'json', json)
    }
    await pipeline.exec()
  }
  return bytes
}

/** All the entries wait again, nothing is stored: PostgreSQL's caches and files are as after any other round. */
async function startOver(): Promise<void> {
  await redis.xgroup('DESTROY', 'telemetry:traces', 'observatory').catch(() => undefined)
  await database.query('truncate spans, span_contents, ingest_ledger, dead_letters')
  await database.query('checkpoint')
}

async function ingestOnce(): Promise<{ rowsPerSecond: number; peakRssMb: number }> {
  await startOver()
  const port = 40_000 + Math.floor(Math.random() * 10_000)
  const service = spawn(process.execPath, [LAUNCHER, 'serve', '--only', 'ingest'], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl,
      REDIS_URL: redisUrl,
      HTTP_PORT: String(port),
      LOG_LEVEL: 'error',
      // The next round reads them again.
      STREAM_KEEP_ENTRIES: String(ROWS),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  while (
    !(await fetch(`http://127.0.0.1:${port}/readyz`)
      .then(({ ok }) => ok)
      .catch(() => false))
  )
    await delay(10)
  // What was written before the service said that it is ready is left out of the count, as its time is.
  const before = await ingested()
  const started = performance.now()
  let rows = before
  while (rows < ROWS) {
    if (service.exitCode !== null) throw new Error(`The service ended with exit code ${service.exitCode}`)
    await delay(20)
    rows = await ingested()
  }
  const seconds = (performance.now() - started) / 1000
  const peakRssMb = await peakRss(service)
  const ended = once(service, 'exit')
  service.kill('SIGTERM')
  await ended
  return { rowsPerSecond: Math.round((rows - before) / seconds), peakRssMb }
}

async function ingested(): Promise<number> {
  const { rows } = await database.query('select coalesce(sum(row_count), 0)::int as rows from ingest_ledger')
  return rows[0]?.rows
}

async function peakRss({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024)
}

async function copyOnce(files: readonly string[]): Promise<number> {
  await startOver()
  const started = performance.now()
  await Promise.all(files.map((file) => psql(`\\copy spans from '${file}'`)))
  return Math.round(ROWS / ((performance.now() - started) / 1000))
}

async function psql(command: string): Promise<void> {
  await run('psql', ['--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', '--command', command, databaseUrl])
}

/** The file cut in two by lines, once. */
async function halves(file: string): Promise<string[]> {
  const parts = [`${file}.aa`, `${file}.ab`]
  if (!(await stat(parts[0] ?? '').catch(() => undefined))) {
    await run('split', ['--lines', String(Math.ceil(ROWS / 2)), file, `${file}.`])
  }
  return parts
}
