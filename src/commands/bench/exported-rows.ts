import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { to as copyTo } from 'pg-copy-streams'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { PartitionedTable } from '../../retention/partitions.ts'
import type { BenchSetup } from './bench-setup.ts'
import { SIGNAL_TABLES } from './signal-tables.ts'

export const COPY_FORMATS = ['text', 'binary'] as const

export type CopyFormat = (typeof COPY_FORMATS)[number]

/** Rows of one table in a file. */
export interface ExportedFile {
  readonly table: PartitionedTable
  readonly path: string
}

/** What to copy by one connection, in this order. */
export type CopyShare = readonly ExportedFile[]

export interface ExportOptions {
  readonly signal: TelemetrySignal
  readonly format: CopyFormat
  /** Connections among which the rows are divided, each getting the same number of successive ones. */
  readonly connections: number
}

/** Writes all rows that a signal has in the database to files, in the order of the stream. Tables without a row have no file. */
export async function exportRows(bench: BenchSetup, options: ExportOptions): Promise<readonly CopyShare[]> {
  const { signal, format, connections } = options
  const shares: ExportedFile[][] = Array.from({ length: connections }, () => [])
  for (const table of SIGNAL_TABLES[signal]) {
    const { rows } = await bench.client.query<{ count: string }>(`select count(*) as count from ${table}`)
    const count = Number(rows[0]?.count)
    if (count === 0) continue
    const share = Math.ceil(count / connections)
    for (const [index, files] of shares.entries()) {
      const path = join(bench.folder, `${table}-${format}-${index + 1}-of-${connections}`)
      const order = 'order by entry_ms, entry_seq, record_index'
      const query = `select * from ${table} ${order} offset ${index * share} limit ${share}`
      const source = bench.client.query(copyTo(`copy (${query}) to stdout (format ${format})`))
      await pipeline(source, createWriteStream(path, { mode: 0o600 }), { signal: bench.stopping })
      files.push({ table, path })
    }
  }
  return shares
}
