import { createHash, randomInt } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { findFreePort } from '../../embedded/free-port.ts'
import { sleep } from '../../lifecycle.ts'
import { createPool } from '../../pool.ts'
import { Partitions } from '../../retention/partitions.ts'
import type { BenchSetup } from './bench-setup.ts'
import { checkedOutCommit } from './checked-out-commit.ts'
import { readAll, readSlowly, readWhole } from './http-read.ts'
import { Psql } from './psql.ts'
import type { ExportRun, QueryReport } from './query-report.ts'
import { RssWatch } from './rss-watch.ts'
import { ServiceProcess } from './service-process.ts'
import { insertRows, tidyUp } from './stored-rows.ts'

export interface QueryBenchOptions {
  readonly rows: number
  readonly rounds: number
  readonly seconds: number
}

const DAY_MS = 86_400_000
const DAYS_BEFORE = 60
/** As a service makes them by default. */
const DAYS_AHEAD = 3
const ROWS_A_DAY_BEFORE = 1000
const FIRST_PORT = 44_318
const REQUESTS = 500
const AT_ONCE = 16
const BYTES_A_SECOND = 1_000_000
const EXPORT = '/api/v1/spans?format=ndjson'
const BY_PSQL = `\\copy (select to_json(v) from span_view v) to '/dev/null'`

/** Stores rows, starts a service of the role `api`, and asks it. */
export async function runQueryBench(bench: BenchSetup, options: QueryBenchOptions): Promise<QueryReport> {
  const { rows, rounds, seconds } = options
  const nowMs = Date.now()
  await storeDays(bench, rows, nowMs)
  // Each request listens.
  setMaxListeners(2 * AT_ONCE, bench.stopping)
  const psql = await Psql.find(bench.databaseUrl, bench.stopping)
  if (psql === undefined) bench.note('no psql is on the PATH: nothing to compare with')
  const httpPort = await findFreePort(FIRST_PORT)
  const service = new ServiceProcess(bench, { streamPrefix: bench.prefix, role: 'api', httpPort })
  const url = `http://127.0.0.1:${httpPort}`
  try {
    await untilReady(bench, service, url)
    const latencies = await askOften(bench, url, rows)
    const rss = new RssWatch(service.pid)
    const exports: ExportRun[] = []
    for (let round = 0; round < rounds; round += 1) {
      bench.tell(`all spans, round ${round + 1} of ${rounds}`)
      exports.push(await exportByService(bench, url, rss))
      if (psql !== undefined) {
        const took = await psql.timed([BY_PSQL])
        exports.push({ by: 'psql', rowsPerSecond: storedRows(rows) / took })
      }
    }
    bench.tell(`a client that reads slowly, for ${seconds} s`)
    rss.startOver()
    const read = await readSlowly(url + EXPORT, {
      bytesPerSecond: BYTES_A_SECOND,
      seconds,
      signal: bench.stopping,
    })
    const slowClient = { ...read, rssRiseBytes: rss.riseBytes }
    rss.stop()
    return {
      commit: await checkedOutCommit(),
      rows,
      partitions: DAYS_BEFORE + 1,
      postgres: await versionOf(bench),
      exports,
      slowClient,
      latencies,
    }
  } finally {
    await service.stop()
  }
}

function storedRows(rows: number): number {
  return rows + DAYS_BEFORE * ROWS_A_DAY_BEFORE
}

async function storeDays(bench: BenchSetup, rows: number, nowMs: number): Promise<void> {
  const { client, databaseUrl } = bench
  const pool = createPool({
    databaseUrl,
    applicationName: 'observatory bench',
    max: 1,
    onError: () => undefined,
  })
  try {
    const partitions = new Partitions({ pool, interval: 'day' })
    await partitions.ensureAhead(DAYS_BEFORE + DAYS_AHEAD, nowMs - DAYS_BEFORE * DAY_MS)
  } finally {
    await pool.end()
  }
  await client.query(
    `insert into resources (resource_id, service, environment, attributes)
     select n, service, 'production', jsonb_build_object('service.name', service, 'service.version', '1.4.2', 'host.name', 'node-1')
     from unnest(array['gateway', 'agent', 'tools']) with ordinality as s (service, n)`,
  )
  await client.query(
    `insert into scopes (scope_id, name, version, attributes) values (1, 'openllm', '0.3.1', '{}')`,
  )
  for (const table of ['spans', 'log_records'] as const) {
    bench.tell(`storing ${rows} rows in ${table}`)
    await insertRows(bench, table, { rows, nowMs })
    for (let day = 1; day <= DAYS_BEFORE; day += 1) {
      await insertRows(bench, table, {
        rows: ROWS_A_DAY_BEFORE,
        nowMs: nowMs - day * DAY_MS,
        salt: saltOf(day),
      })
    }
  }
  await tidyUp(bench, ['spans', 'log_records', 'resources', 'scopes'])
}

const saltOf = (day: number) => `${day} days before `

async function untilReady({ stopping }: BenchSetup, service: ServiceProcess, url: string): Promise<void> {
  for (;;) {
    service.assertRunning()
    const answer = await fetch(`${url}/readyz`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(100, stopping)
  }
}

async function exportByService(bench: BenchSetup, url: string, rss: RssWatch): Promise<ExportRun> {
  const { lines, seconds, firstByteMs } = await readAll(url + EXPORT, bench.stopping)
  return { by: 'service', rowsPerSecond: lines / seconds, firstByteMs, rssRiseBytes: rss.riseBytes }
}

async function askOften(bench: BenchSetup, url: string, rows: number): Promise<QueryReport['latencies']> {
  const page = (path: string) => () => path
  const trace = () => `/api/v1/traces/${someTraceId(rows)}`
  return [
    await ask(bench, url, { what: 'the newest 100 spans', path: page('/api/v1/spans') }),
    await ask(bench, url, { what: 'the newest 100 log records', path: page('/api/v1/logs') }),
    await ask(bench, url, { what: 'the newest 100 traces', path: page('/api/v1/traces') }),
    await ask(bench, url, { what: 'a trace by its id', path: trace }),
    await ask(bench, url, { what: `a trace by its id, ${AT_ONCE} at once`, path: trace, atOnce: AT_ONCE }),
  ]
}

/** Each partition's as often as any other's. */
function someTraceId(rows: number): string {
  const day = randomInt(0, DAYS_BEFORE + 1)
  const text = day === 0 ? String(randomInt(0, rows)) : `${saltOf(day)}${randomInt(0, ROWS_A_DAY_BEFORE)}`
  return createHash('md5').update(text).digest('hex')
}

interface Asked {
  readonly what: string
  readonly path: () => string
  readonly atOnce?: number
}

/** After as many that are not counted: connections are made, and each learns of the partitions. */
async function ask({ tell, stopping }: BenchSetup, url: string, { what, path, atOnce = 1 }: Asked) {
  tell(what)
  let failed = 0
  const one = async (): Promise<number> => {
    const { ms, isOk } = await readWhole(url + path(), stopping)
    if (!isOk) failed += 1
    return ms
  }
  for (let asked = 0; asked < REQUESTS; asked += atOnce)
    await Promise.all(Array.from({ length: atOnce }, one))
  failed = 0
  const ms: number[] = []
  while (ms.length < REQUESTS) ms.push(...(await Promise.all(Array.from({ length: atOnce }, one))))
  return { what, ms, failed }
}

async function versionOf({ client }: BenchSetup): Promise<string> {
  const { rows } = await client.query<{ version: string }>(
    `select current_setting('server_version') as version`,
  )
  return `PostgreSQL ${rows[0]?.version}`
}
