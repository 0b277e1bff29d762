import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import { openClient } from '../../postgres-connection.ts'
import { type BenchRun, rate } from './bench-run.ts'
import type { BenchSetup } from './bench-setup.ts'
import { cpuPerRow } from './cpu-meter.ts'
import type { CopyFormat, CopyShare, ExportedFile } from './exported-rows.ts'
import type { Psql } from './psql.ts'

export interface CopyRunOptions {
  readonly shares: readonly CopyShare[]
  readonly format: CopyFormat
  /** How many records the files are of. */
  readonly rows: number
  /** Undefined where there is none: the files are then sent by this process. */
  readonly psql: Psql | undefined
}

/** Copies the shares, each by a connection of its own, all at once. Connecting is not counted, as it is not for the service. */
export async function runCopy(bench: BenchSetup, options: CopyRunOptions): Promise<BenchRun> {
  const { shares, format, rows, psql } = options
  const before = await bench.cpu.read([])
  const seconds = await Promise.all(
    shares.map((share) => (psql ? copyByPsql(psql, share, format) : copyByDriver(bench, share, format))),
  )
  const after = await bench.cpu.read([])
  // They begin at the same time: the slowest is what the whole took.
  const slowest = Math.max(...seconds)
  const cpu = { ...cpuPerRow(before, after, rows), node: undefined, redis: undefined }
  return { rows, seconds: slowest, rowsPerSecond: rate(rows, slowest), cpuPerRow: cpu }
}

async function copyByPsql(psql: Psql, share: CopyShare, format: CopyFormat): Promise<number> {
  const commands = share.map(({ table, path }) => `\\copy ${table} from '${path}' with (format ${format})`)
  return psql.timed(commands)
}

async function copyByDriver(bench: BenchSetup, share: CopyShare, format: CopyFormat): Promise<number> {
  const client = await openClient({
    databaseUrl: bench.databaseUrl,
    applicationName: 'observatory bench copy',
  })
  try {
    const startedMs = performance.now()
    for (const file of share) await sendFile(client, file, format, bench.stopping)
    return (performance.now() - startedMs) / 1000
  } finally {
    await client.end()
  }
}

/** As large as what psql and the service send at once. */
const READ_BYTES = 64 * 1024

async function sendFile(
  client: BenchSetup['client'],
  { table, path }: ExportedFile,
  format: CopyFormat,
  signal: AbortSignal,
): Promise<void> {
  const sink = client.query(copyFrom(`copy ${table} from stdin (format ${format})`))
  await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), sink, { signal })
}
