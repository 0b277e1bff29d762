import { ObservatoryError } from '../../errors.ts'
import { xinfo } from '../../ingest/xinfo.ts'
import { sleep } from '../../lifecycle.ts'
import { streamKey } from '../../models/stream-entry.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { type BenchRun, rate } from './bench-run.ts'
import type { BenchSetup } from './bench-setup.ts'
import { type CpuTimes, cpuPerRow } from './cpu-meter.ts'
import { peakRssBytes } from './peak-rss.ts'
import { ServiceProcess } from './service-process.ts'

export interface IngestRunOptions {
  readonly signal: TelemetrySignal
  readonly streamPrefix: string
  /** How many rows wait in the stream. */
  readonly rows: number
  /** Processes that share the work. Default 1. */
  readonly workers?: number
  readonly acceptPastDays?: number | undefined
  readonly cpuProf?: string | undefined
}

/** Often enough to place an end within 1 % of a second, seldom enough to cost PostgreSQL nothing that can be told. */
const POLL_MS = 20
const FIRST_READ_POLL_MS = 5
/** A service that ingests nothing for so long is stuck. */
const STALLED_MS = 60_000
/** Nothing is trimmed: the next round reads the entries again. */
const KEEP_ENTRIES = 1_000_000_000

/** With more of the rows read at the first commit, what follows it is no fair sample of the work. */
const MAX_READ_SHARE = 0.25

/** What was committed at some moment, and what it had cost. */
interface Moment {
  readonly atMs: number
  readonly rows: number
  readonly cpu: CpuTimes
}

/**
 * Starts the service on a filled stream and waits until all rows are committed and all entries acknowledged. The process and its
 * first connections are not counted: the rate is that of what followed the first commit, unless a quarter of the rows had been read by then.
 *
 * @throws ObservatoryError ERR_INGEST_STOPPED when it ends, stalls, or refuses a record.
 */
export async function runIngest(bench: BenchSetup, options: IngestRunOptions): Promise<BenchRun> {
  const { rows, workers = 1, ...service } = options
  const services = Array.from(
    { length: workers },
    () => new ServiceProcess(bench, { ...service, keepEntries: KEEP_ENTRIES }),
  )
  const pids = services.map(({ pid }) => pid)
  const moment = async (committed: number): Promise<Moment> => {
    const atMs = performance.now()
    return { atMs, rows: committed, cpu: await bench.cpu.read(pids) }
  }
  try {
    await untilRead(bench, options, services)
    const read = await moment(0)
    const first = await moment(await untilCommitted(bench, options, services, 1))
    const readRows = Math.max(first.rows, await rowsRead(bench, options))
    await untilCommitted(bench, options, services, rows)
    const last = await moment(rows)
    const peaks = pids.map((pid) => peakRssBytes(pid) ?? 0)
    return { ...rateOf({ read, first, last, readRows }), peakRssBytes: Math.max(...peaks) || undefined }
  } finally {
    await Promise.all(services.map((service) => service.stop()))
  }
}

interface Moments {
  readonly read: Moment
  readonly first: Moment
  readonly last: Moment
  /** Rows that the service had read at its first commit: their reading and decoding is paid for already. */
  readonly readRows: number
}

function rateOf({ read, first, last, readRows }: Moments): BenchRun {
  const isLate = readRows > last.rows * MAX_READ_SHARE
  const from = isLate ? read : first
  return {
    ...between(from, last),
    from: isLate ? 'first read' : 'first commit',
    readAtFirstCommit: readRows,
    fromFirstRead: between(read, last),
    cpuPerRow: cpuPerRow(from.cpu, last.cpu, last.rows - from.rows),
  }
}

function between(from: Moment, to: Moment) {
  const [rows, seconds] = [to.rows - from.rows, (to.atMs - from.atMs) / 1000]
  return { rows, seconds, rowsPerSecond: rate(rows, seconds) }
}

/** Waits until the first entry was given to a consumer. */
async function untilRead(
  { redis, stopping, settings }: BenchSetup,
  { signal, streamPrefix }: IngestRunOptions,
  services: readonly ServiceProcess[],
): Promise<void> {
  const stream = streamKey(streamPrefix, signal)
  for (;;) {
    const groups = await xinfo(redis, 'GROUPS', stream)
    const group = groups.find((each) => each.get('name') === settings.consumerGroup)
    if (group !== undefined && group.get('last-delivered-id') !== '0-0') return
    stopping.throwIfAborted()
    for (const service of services) service.assertRunning()
    await sleep(FIRST_READ_POLL_MS, stopping)
  }
}

/** How many of the rows were given to consumers so far; 0 where Redis cannot tell. */
async function rowsRead(
  { redis, settings }: BenchSetup,
  { signal, streamPrefix, rows }: IngestRunOptions,
): Promise<number> {
  const stream = streamKey(streamPrefix, signal)
  const [groups, entries] = await Promise.all([xinfo(redis, 'GROUPS', stream), redis.xlen(stream)])
  const lag = groups.find((group) => group.get('name') === settings.consumerGroup)?.get('lag')
  return typeof lag === 'number' ? Math.round(rows * (1 - lag / entries)) : 0
}

/**
 * Waits until the ledger counts at least `wanted` rows; of all rows, until every entry is acknowledged, too.
 *
 * @returns how many rows it counts.
 */
async function untilCommitted(
  { client, redis, stopping, settings }: BenchSetup,
  { signal, streamPrefix, rows }: IngestRunOptions,
  services: readonly ServiceProcess[],
  wanted: number,
): Promise<number> {
  const stream = streamKey(streamPrefix, signal)
  let [seen, seenAtMs] = [-1, performance.now()]
  for (;;) {
    const committed = await readLedger(client, stream)
    if (committed >= wanted) {
      if (wanted < rows) return committed
      const [pending] = (await redis.xpending(stream, settings.consumerGroup)) as [number]
      if (pending === 0) return committed
    }
    if (committed !== seen) [seen, seenAtMs] = [committed, performance.now()]
    else if (performance.now() - seenAtMs > STALLED_MS) throw stalled(committed, rows)
    stopping.throwIfAborted()
    for (const service of services) service.assertRunning()
    await sleep(POLL_MS, stopping)
  }
}

async function readLedger(client: BenchSetup['client'], stream: string): Promise<number> {
  const { rows } = await client.query<{ rows: string; letters: string }>({
    name: 'bench ledger',
    text: `select coalesce(sum(row_count), 0) as rows, coalesce(sum(letter_count), 0) as letters
             from ingest_ledger where stream = $1`,
    values: [stream],
  })
  const [counted] = rows
  if (counted?.letters !== '0') {
    const message = `the service refused ${counted?.letters} records of the bench; this is a defect of the bench, or of the service`
    throw new ObservatoryError('ERR_INGEST_STOPPED', message)
  }
  return Number(counted.rows)
}

function stalled(committed: number, rows: number): ObservatoryError {
  const message = `the service committed nothing for ${STALLED_MS / 1000} s after ${committed} of ${rows} rows; see what PostgreSQL and Redis do`
  return new ObservatoryError('ERR_INGEST_STOPPED', message)
}
