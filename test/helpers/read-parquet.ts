import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  DuckDBBlobValue,
  DuckDBInstance,
  DuckDBListValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from '@duckdb/node-api'

export type PlainRow = Readonly<Record<string, unknown>>

/**
 * Reads Parquet by DuckDB, whose reader shares no code with what wrote it. Of every value what JavaScript has of it: numbers of 64 bits and decimals as text, times as text in
 * microseconds since 1970, bytes as hex.
 */
export async function readParquet(file: Uint8Array | string): Promise<PlainRow[]> {
  return queryParquet(file, (name) => `select * from read_parquet('${name}')`)
}

/** The columns of the file, each with the type that DuckDB takes it for. */
export async function describeParquet(file: Uint8Array | string): Promise<Record<string, unknown>> {
  const rows = await queryParquet(file, (name) => `describe select * from read_parquet('${name}')`)
  return Object.fromEntries(rows.map(({ column_name, column_type }) => [column_name, column_type]))
}

/** The answer of DuckDB to a query of a file. */
export async function queryParquet(
  file: Uint8Array | string,
  sqlOf: (name: string) => string,
): Promise<PlainRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'read-parquet-'))
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  try {
    const name = typeof file === 'string' ? file : join(directory, 'read.parquet')
    if (typeof file !== 'string') await writeFile(name, file)
    const connection = await instance.connect()
    try {
      const reader = await connection.runAndReadAll(sqlOf(name))
      return reader
        .getRowObjects()
        .map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)])))
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
    await rm(directory, { recursive: true })
  }
}

function plain(value: DuckDBValue): unknown {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value
  if (value instanceof DuckDBListValue) return value.items.map(plain)
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue)
    return String(value.micros)
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex')
  return String(value)
}
