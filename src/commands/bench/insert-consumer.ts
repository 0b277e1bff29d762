/*
 * Runs in a process of its own (ChildModule): reads a stream as others do, a multi-row INSERT for each reply, then XACK. It tells how many
 * rows are in after each. When the stream has no more it waits to be disconnected, so that its processor time can be read.
 */
import { once } from 'node:events'
import type { Redis } from 'ioredis'
import type pg from 'pg'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import { openClient } from '../../postgres-connection.ts'
import { createRedis, whenReady } from '../../redis.ts'
import { INSERT_TABLES, type InsertTable, type ParsedRecord } from './insert-row.ts'

/** What it is sent to begin with. */
export interface InsertConsumerOptions {
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly signal: TelemetrySignal
  readonly stream: string
}

/** What it answers: how many rows are committed and acknowledged so far. */
export interface InsertProgress {
  readonly rows: number
}

const READ_COUNT = 1000
const GROUP = 'observatory-bench-insert'
/** The wire protocol counts parameters by 16 bits. */
const MAX_PARAMETERS = 65_535

type Entry = readonly [id: string, fields: readonly string[]]

const [options] = (await once(process, 'message')) as [InsertConsumerOptions]
process.once('disconnect', () => process.exit())
const redis = createRedis({
  url: options.redisUrl,
  role: 'commands',
  name: 'bench-insert',
  onError: () => undefined,
})
await whenReady(redis)
const client = await openClient({
  databaseUrl: options.databaseUrl,
  applicationName: 'observatory bench insert',
})
await consume(redis, client, options)
await client.end()
redis.disconnect()

async function consume(from: Redis, to: pg.Client, { signal, stream }: InsertConsumerOptions): Promise<void> {
  await from.xgroup('CREATE', stream, GROUP, '0')
  for (let rows = 0; ; ) {
    const reply = await from.xreadgroup('GROUP', GROUP, 'bench', 'COUNT', READ_COUNT, 'STREAMS', stream, '>')
    const [[, entries = []] = []] = (reply ?? []) as readonly (readonly [string, readonly Entry[]])[]
    if (entries.length === 0) break
    await insert(to, INSERT_TABLES[signal], entries)
    await from.xack(stream, GROUP, ...entries.map(([id]) => id))
    rows += entries.length
    process.send?.({ rows } satisfies InsertProgress)
  }
  await from.xgroup('DESTROY', stream, GROUP)
}

async function insert(client: pg.Client, table: InsertTable, entries: readonly Entry[]): Promise<void> {
  const size = Math.floor(MAX_PARAMETERS / table.columns.length)
  for (let from = 0; from < entries.length; from += size) {
    const chunk = entries.slice(from, from + size)
    const values = chunk.flatMap(([id, [, json = '{}']]) =>
      table.values(JSON.parse(json) as ParsedRecord, id),
    )
    await client.query(insertSql(table, chunk.length), values)
  }
}

function insertSql({ table, columns }: InsertTable, rows: number): string {
  const places = Array.from({ length: rows }, (_, row) => {
    const first = row * columns.length + 1
    return `(${columns.map((_column, index) => `$${first + index}`).join(',')})`
  })
  return `insert into ${table} (${columns.join(',')}) values ${places.join(',')}`
}
