import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { audit, type SignalAudit } from '../../src/audit/audit.ts'
import type { AuditFailure } from '../../src/audit/audit-failure.ts'
import { EVERY_KEY, type KeyRange, keyOf } from '../../src/audit/entry-key.ts'
import { fieldsCrc } from '../../src/ingest/decode-entry.ts'
import type { LogRecord } from '../../src/models/log-record.ts'
import { parseEntryId } from '../../src/models/stream-entry.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { createPool } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { LOG_RECORD_TABLE } from '../../src/writers/log-record-table.ts'
import { LogWriter } from '../../src/writers/log-writer.ts'
import { TelemetryWriter } from '../../src/writers/telemetry-writer.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { retentionPolicy, runOnce } from '../helpers/retention-run.ts'
import { runObservatory } from '../helpers/run-observatory.ts'
import { decodedChunk, type EntryShape, looseSpan } from '../helpers/telemetry-chunks.ts'
import { testRedisUrl } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

const GROUP = 'observatory'
const TABLES = 'ingest_ledger, dead_letters, log_records, spans, span_contents, metric_points'
let service: TestService
let streamOf: (signal: TelemetrySignal) => string

beforeAll(async () => {
  service = await startTestService({
    BATCH_MAX_AGE_MS: '20',
    READ_BLOCK_MS: '200',
    STREAM_KEEP_ENTRIES: '1000000',
  })
  streamOf = (signal) => `${service.prefix}:${signal}`
})
afterAll(() => service?.close())

interface Audited {
  readonly failures: readonly AuditFailure[]
  readonly audits: readonly SignalAudit[]
}

interface Audit {
  readonly range?: KeyRange
  readonly signals?: readonly TelemetrySignal[]
  readonly prefix?: string
  readonly redis?: TestService['redis']
}

async function runAudit({ range, signals, prefix, redis }: Audit = {}): Promise<Audited> {
  const client = await openClient({ databaseUrl: service.databaseUrl, applicationName: 'audit test' })
  const failures: AuditFailure[] = []
  try {
    const audits = await audit({
      redis: redis ?? service.redis,
      client,
      signals: signals ?? TELEMETRY_SIGNALS,
      streamPrefix: prefix ?? service.prefix,
      group: GROUP,
      range: range ?? EVERY_KEY,
      acceptPastDays: 30,
      stopping: new AbortController().signal,
      onFailure: async (failure) => void failures.push(failure),
      onProgress: () => undefined,
    })
    return { failures, audits }
  } finally {
    await client.end()
  }
}

/** The failures in short, in order: `logs rows 1-0..5-0`. */
async function failuresOf(options?: Audit): Promise<string[]> {
  const { failures, audits } = await runAudit(options)
  expect(audits.reduce((sum, each) => sum + each.failures, 0)).toBe(failures.length)
  return failures.map(
    ({ signal, kind, id, lastId }) => `${signal} ${kind} ${lastId === null ? id : `${id}..${lastId}`}`,
  )
}

const run = (sql: string, values: unknown[] = []) =>
  withPostgres(service.databaseUrl, async (client) => (await client.query(sql, values)).rowCount)

const BAD_RECORD = { service: 'api', severityNumber: 99 }

/** Adds an entry of `records`, a bad one among them. */
async function addEntry(signal: TelemetrySignal, records: readonly object[], id = '*'): Promise<string> {
  return String(await service.redis.xadd(streamOf(signal), id, 'json', JSON.stringify(records)))
}

const logRecord = (body: string) => ({ service: 'api', body })
const span = (name: string) => looseSpan(name, { attributes: { 'gen_ai.prompt': `hi ${name}` } })
const point = (value: number) => ({ service: 'api', name: 'load', type: 'gauge', time: Date.now(), value })

/** Tens of thousands of entries may wait. */
async function ingested(): Promise<void> {
  const timeoutMs = 60_000
  await eventually(
    async () => {
      for (const signal of TELEMETRY_SIGNALS) {
        const [group] = (await service.redis.xinfo('GROUPS', streamOf(signal))) as unknown[][]
        expect([group?.[group.indexOf('pending') + 1], group?.[group.indexOf('lag') + 1]]).toEqual([0, 0])
      }
    },
    { timeoutMs },
  )
}

/** Entry ids of each signal, in order. Each log entry is a batch of its own; those of traces and metrics are of one or more. */
const ids: Record<TelemetrySignal, string[]> = { traces: [], metrics: [], logs: [] }

beforeEach(async () => {
  for (const signal of TELEMETRY_SIGNALS) await service.redis.xtrim(streamOf(signal), 'MAXLEN', 0)
  await run(`truncate ${TABLES}`)
  for (const signal of TELEMETRY_SIGNALS) ids[signal] = []
  for (let number = 0; number < 4; number += 1) {
    ids.traces.push(await addEntry('traces', [span(`a${number}`), span(`b${number}`), looseSpan('plain')]))
    ids.metrics.push(await addEntry('metrics', [point(number), { ...point(1), value: 'x' }]))
    ids.logs.push(await addEntry('logs', [logRecord(`log ${number}`), BAD_RECORD, logRecord('last')]))
    await ingested()
  }
})

const idAt = (signal: TelemetrySignal, index: number) => ids[signal][index] ?? 'none'
const partsOf = (id: string) => {
  const { ms, seq } = parseEntryId(id)
  return [String(ms), String(seq)]
}
const OF_ENTRY = 'entry_ms = $1 and entry_seq = $2'
/** Ids of two streams can be the same. */
const LETTER_OF_ENTRY = `${OF_ENTRY} and signal = 'logs'`
const batchAt = (signal: TelemetrySignal, index: number) => `${idAt(signal, index)}..${idAt(signal, index)}`

describe('a database that nobody touched', () => {
  test('has no failure, and the counts of what was sent', async () => {
    const { failures, audits } = await runAudit()
    expect(failures).toEqual([])
    const byName = Object.fromEntries(audits.map((each) => [each.signal, each]))
    const inStream = { entries: 4, committed: 4, pending: 0, unread: 0, missing: 0 }
    const inTables = { batches: 4, listed: 4, beforeLedger: 0, withoutPartition: 0, notCompared: 0 }
    expect(byName.logs).toMatchObject({ inStream, inTables: { ...inTables, rows: 8, letters: 4 } })
    expect(byName.traces).toMatchObject({ inStream, inTables: { ...inTables, rows: 12, letters: 0 } })
    expect(byName.metrics).toMatchObject({ inStream, inTables: { ...inTables, rows: 4, letters: 4 } })
  })

  test('has none when letters were replayed or purged', async () => {
    const [ms, seq] = partsOf(idAt('logs', 1))
    await run(
      `insert into log_records select (jsonb_populate_record(l, '{"record_index":1}')).* from log_records l
        where ${OF_ENTRY} and record_index = 0`,
      [ms, seq],
    )
    await run(`update dead_letters set replayed_at = now(), replayed_rows = 1 where ${LETTER_OF_ENTRY}`, [
      ms,
      seq,
    ])
    const purged = partsOf(idAt('logs', 2))
    await run(
      `update dead_letters set purged_at = now(), payload = null, detail = '' where ${LETTER_OF_ENTRY}`,
      purged,
    )
    expect(await failuresOf()).toEqual([])
  })

  test('has none when the replay of a whole entry refused some of its records', async () => {
    const id = String(await service.redis.xadd(streamOf('logs'), '*', 'json', '{not json'))
    await ingested()
    const replayed = partsOf(id)
    const index = (number: number) =>
      `insert into log_records select (jsonb_populate_record(l, jsonb_build_object('entry_ms', $1::bigint, 'entry_seq', $2::bigint,
         'record_index', ${number}))).* from log_records l limit 1`
    await run(index(0), replayed)
    await run(index(2), replayed)
    await run(
      `insert into dead_letters (replay_of, entry_ms, entry_seq, record_index, payload_bytes, stream, signal, reason, detail, payload_form)
       select letter_id, entry_ms, entry_seq, 1, 0, stream, signal, reason, '', 'record' from dead_letters where ${LETTER_OF_ENTRY}`,
      replayed,
    )
    await run(
      `update dead_letters set replayed_at = now(), replayed_rows = 2 where ${LETTER_OF_ENTRY} and replay_of is null`,
      replayed,
    )
    expect(await failuresOf()).toEqual([])
  })

  test('has none with records of writers that were used without Redis; unlisted, they come from nowhere', async () => {
    for (const body of ['first', 'second']) await writeByHand(body)
    const { failures, audits } = await runAudit()
    expect(failures).toEqual([])
    expect(audits[2]?.inTables).toMatchObject({ listed: 6, rows: 10, letters: 6 })
    const [second] = await service.query<{ id: string }>(
      `select format('%s-%s', entry_ms, case when entry_seq < 0 then entry_seq + 2::numeric ^ 64 else entry_seq end) as id
         from log_records where body = 'second'`,
    )
    await run(`delete from ingest_ledger where stream like 'writer:%' and committed_at = (
      select max(committed_at) from ingest_ledger where stream like 'writer:%')`)
    expect(await failuresOf()).toEqual([`logs not_listed ${second?.id.replace(/\.0*$/, '')}`])
    // Pruning leaves none behind: then nothing is known of them.
    await run(`delete from ingest_ledger where stream like 'writer:%'`)
    expect(await failuresOf()).toEqual([])
  })

  test('can be left while it is audited', async () => {
    const client = await openClient({ databaseUrl: service.databaseUrl, applicationName: 'audit test' })
    const stopping = new AbortController()
    const stopped = audit({
      redis: service.redis,
      client,
      signals: TELEMETRY_SIGNALS,
      streamPrefix: service.prefix,
      group: GROUP,
      range: EVERY_KEY,
      acceptPastDays: 30,
      stopping: stopping.signal,
      onFailure: async () => undefined,
      onProgress: ({ where }) => where === 'tables' && stopping.abort(new Error('enough')),
    })
    await expect(stopped).rejects.toThrow('enough')
    await client.end()
  })
})

/** A record and a bad one, by a writer that knows no stream. */
async function writeByHand(body: string): Promise<void> {
  const pool = openPool()
  try {
    const writer = new LogWriter({ pool })
    writer.end([logRecord(body), BAD_RECORD])
    await once(writer, 'finish')
  } finally {
    await pool.end()
  }
}

function openPool() {
  return createPool({
    databaseUrl: service.databaseUrl,
    applicationName: 'audit writer',
    max: 2,
    onError: () => undefined,
  })
}

describe('what somebody did to the tables is found, with the id', () => {
  test('a row that was deleted', async () => {
    await run(`delete from metric_points where ${OF_ENTRY}`, partsOf(idAt('metrics', 2)))
    const lacking = [`metrics rows ${batchAt('metrics', 2)}`, `metrics no_record ${idAt('metrics', 2)}`]
    expect(await failuresOf()).toEqual(lacking)
    await run(`delete from log_records where ${OF_ENTRY} and record_index = 0`, partsOf(idAt('logs', 0)))
    expect(await failuresOf()).toEqual([
      ...lacking,
      `logs rows ${batchAt('logs', 0)}`,
      `logs no_record ${idAt('logs', 0)}`,
    ])
  })

  test('all of an entry that was deleted', async () => {
    await run(`delete from spans where ${OF_ENTRY}`, partsOf(idAt('traces', 1)))
    await run(`delete from span_contents where ${OF_ENTRY}`, partsOf(idAt('traces', 1)))
    expect(await failuresOf()).toEqual([
      `traces rows ${batchAt('traces', 1)}`,
      `traces no_record ${idAt('traces', 1)}`,
    ])
  })

  test('a row that is there twice', async () => {
    await run(
      `insert into log_records select * from log_records where ${OF_ENTRY} and record_index = 2`,
      partsOf(idAt('logs', 3)),
    )
    expect(await failuresOf()).toEqual([`logs twice ${idAt('logs', 3)}`, `logs rows ${batchAt('logs', 3)}`])
  })

  test('a record that is there as a row and as a letter', async () => {
    await run(
      `update log_records set record_index = 1 where ${OF_ENTRY} and record_index = 0`,
      partsOf(idAt('logs', 3)),
    )
    expect(await failuresOf()).toEqual([`logs twice ${idAt('logs', 3)}`])
  })

  test('a row that bears the id of another entry', async () => {
    const values = [...partsOf(idAt('metrics', 1)), ...partsOf(idAt('metrics', 2))]
    await run(`update metric_points set entry_ms = $3, entry_seq = $4 where ${OF_ENTRY}`, values)
    expect(await failuresOf()).toEqual([
      `metrics rows ${batchAt('metrics', 1)}`,
      `metrics no_record ${idAt('metrics', 1)}`,
      `metrics twice ${idAt('metrics', 2)}`,
      `metrics rows ${batchAt('metrics', 2)}`,
    ])
  })

  test('a letter that was deleted', async () => {
    await run(`delete from dead_letters where ${LETTER_OF_ENTRY}`, partsOf(idAt('logs', 1)))
    expect(await failuresOf()).toEqual([
      `logs letters ${batchAt('logs', 1)}`,
      `logs no_record ${idAt('logs', 1)}`,
    ])
  })

  test('the bodies of a span that were deleted, or doubled', async () => {
    await run(`delete from span_contents where ${OF_ENTRY} and record_index = 1`, partsOf(idAt('traces', 1)))
    await run(
      `insert into span_contents select * from span_contents where ${OF_ENTRY}`,
      partsOf(idAt('traces', 2)),
    )
    expect(await failuresOf()).toEqual([
      `traces bodies ${idAt('traces', 1)}`,
      `traces bodies ${idAt('traces', 2)}`,
    ])
  })

  test('a ledger row that was deleted: its entry is in the stream, and its rows come from nowhere', async () => {
    await run(`delete from ingest_ledger where stream = $1 and ids @> ($2 || lpad($3, 20, '0'))::numeric`, [
      streamOf('logs'),
      ...partsOf(idAt('logs', 2)),
    ])
    expect(await failuresOf()).toEqual([
      `logs not_ingested ${idAt('logs', 2)}`,
      `logs not_listed ${idAt('logs', 2)}`,
    ])
  })

  test('a changed row_count, letter_count, and list of entries', async () => {
    const at = `stream = $1 and ids @> ($2 || lpad($3, 20, '0'))::numeric`
    const of = (index: number) => [streamOf('logs'), ...partsOf(idAt('logs', index))]
    await run(`update ingest_ledger set row_count = row_count - 1 where ${at}`, of(0))
    await run(`update ingest_ledger set letter_count = 7 where ${at}`, of(1))
    await run(`update ingest_ledger set entries = '\\x01' where ${at}`, of(2))
    expect(await failuresOf()).toEqual([
      `logs not_ingested ${idAt('logs', 2)}`,
      `logs rows ${batchAt('logs', 0)}`,
      `logs letters ${batchAt('logs', 1)}`,
      `logs unreadable ${idAt('logs', 2)}`,
      `logs not_listed ${idAt('logs', 2)}`,
    ])
  })

  test('a row and a letter with ids that nobody added', async () => {
    const { ms } = parseEntryId(idAt('logs', 2))
    await run(
      `insert into log_records select (jsonb_populate_record(l, jsonb_build_object('entry_seq', 77))).* from log_records l where ${OF_ENTRY}
        and record_index = 0`,
      partsOf(idAt('logs', 2)),
    )
    await run(
      `update dead_letters set entry_ms = 9000000000000 where ${LETTER_OF_ENTRY}`,
      partsOf(idAt('logs', 3)),
    )
    expect(await failuresOf()).toEqual([
      `logs not_listed ${ms}-77`,
      `logs letters ${batchAt('logs', 3)}`,
      `logs no_record ${idAt('logs', 3)}`,
      'logs not_listed 9000000000000-0',
    ])
  })

  test('and an entry that the group was made to skip', async () => {
    // Added and moved past in one step, so that it is never read.
    const id = await service.redis.eval(
      `local id = redis.call('XADD', KEYS[1], '*', 'json', ARGV[2])
       redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], '$')
       return id`,
      1,
      streamOf('logs'),
      GROUP,
      JSON.stringify([logRecord('skipped')]),
    )
    expect(await failuresOf()).toEqual([`logs not_ingested ${id}`])
  })
})

/** Writes entries as ingest does, to a stream of any name, in one batch. */
async function writeBatch(stream: string, entries: readonly EntryShape[]): Promise<void> {
  const pool = openPool()
  try {
    const writer = new TelemetryWriter<LogRecord>(LOG_RECORD_TABLE, { pool, stream })
    writer.end(decodedChunk('logs', entries))
    await once(writer, 'finish')
  } finally {
    await pool.end()
  }
}

const auditOf = async (options?: Audit) => {
  const { failures, audits } = await runAudit(options)
  return { ...audits.find(({ signal }) => signal === 'logs'), failures }
}

describe('what is no failure', () => {
  test('an entry that is pending or not read yet; one that was acknowledged unread is', async () => {
    const prefix = `${service.prefix}-unread`
    const stream = `${prefix}:logs`
    const added: string[] = []
    for (let number = 0; number < 5; number += 1)
      added.push(String(await service.redis.xadd(stream, '*', 'body', `${number}`)))
    expect((await auditOf({ prefix })).inStream, 'without a group').toMatchObject({ entries: 5, unread: 5 })
    await service.redis.xgroup('CREATE', stream, GROUP, '0')
    await service.redis.xreadgroup('GROUP', GROUP, 'someone', 'COUNT', 2, 'STREAMS', stream, '>')
    expect(await auditOf({ prefix })).toMatchObject({ failures: [], inStream: { pending: 2, unread: 3 } })
    await service.redis.xack(stream, GROUP, added[1] ?? '')
    const { failures, inStream } = await auditOf({ prefix })
    expect(inStream).toEqual({ entries: 5, committed: 0, pending: 1, unread: 3, missing: 1 })
    expect(failures).toMatchObject([{ kind: 'not_ingested', id: added[1] }])
    await service.redis.del(stream)
  })

  test('an entry that is committed and still pending', async () => {
    const { redis, prefix } = service
    const other = `${prefix}-pending`
    await redis.xgroup('CREATE', `${other}:logs`, GROUP, '0', 'MKSTREAM')
    const fields = ['body', 'hello'].map((each) => Buffer.from(each))
    const id = parseEntryId(String(await redis.xadd(`${other}:logs`, '*', 'body', 'hello')))
    await redis.xreadgroup('GROUP', GROUP, 'someone', 'STREAMS', `${other}:logs`, '>')
    await writeBatch(`${other}:logs`, [{ id, crc: fieldsCrc(fields), records: [logRecord('hello')] }])
    expect(await auditOf({ prefix: other })).toMatchObject({
      failures: [],
      inStream: { committed: 1, pending: 0 },
    })
    await redis.del(`${other}:logs`)
  })

  test('an entry that is trimmed, and its ledger row pruned, while it is looked at', async () => {
    const { redis } = service
    let isTrimmed = false
    const trimming = new Proxy(redis, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          if (name === 'xinfo' && args[0] === 'GROUPS' && args[1] === streamOf('logs') && !isTrimmed) {
            isTrimmed = true
            await redis.xtrim(streamOf('logs'), 'MINID', idAt('logs', 2))
            await pruneLogs(2)
          }
          return value.apply(target, args)
        }
      },
    })
    const looked = await auditOf({ redis: trimming })
    expect(looked).toMatchObject({ failures: [], inStream: { entries: 2, committed: 2 } })
    expect(isTrimmed).toBe(true)
  })

  test('rows that retention has deleted, with their prompts', async () => {
    const pool = createPool({
      databaseUrl: service.databaseUrl,
      applicationName: 'retention',
      max: 1,
      onError: () => undefined,
    })
    const policy = retentionPolicy({}, 'traces name=a1 1')
    const { ends } = await runOnce(pool, policy, { nowMs: Date.now() + 3 * 86_400_000 })
    await pool.end()
    expect(ends.length).toBeGreaterThan(0)
    const { failures, audits } = await runAudit()
    expect(failures).toEqual([])
    expect(audits.find(({ signal }) => signal === 'traces')?.inTables).toMatchObject({
      rows: 11,
      withoutPartition: 1,
    })
    await run('truncate removals')
    expect(await failuresOf()).not.toEqual([])
  })

  test('records whose partition is gone: they cannot be checked, letters can', async () => {
    const today = new Date().toISOString().slice(0, 10).replaceAll('-', '')
    await run(`drop table log_records_p${today}`)
    const dropped = await auditOf()
    expect(dropped).toMatchObject({ failures: [], inTables: { rows: 0, letters: 4, withoutPartition: 8 } })
    await run(`delete from dead_letters where ${LETTER_OF_ENTRY}`, partsOf(idAt('logs', 1)))
    expect(await failuresOf()).toEqual([
      `logs letters ${batchAt('logs', 1)}`,
      ...ids.logs.slice(1, 2).map((id) => `logs no_record ${id}`),
    ])
  })

  test('rows from before the oldest ledger row that pruning left', async () => {
    await service.redis.xtrim(streamOf('logs'), 'MINID', idAt('logs', 2))
    await pruneLogs(2)
    expect(await auditOf()).toMatchObject({
      failures: [],
      inTables: { batches: 2, rows: 8, beforeLedger: 6 },
    })
  })

  test('batches of a stream whose name tells no signal: they are not compared', async () => {
    await writeBatch('custom', [
      { id: parseEntryId(idAt('logs', 1)), crc: 5, records: [logRecord('custom')] },
    ])
    await writeBatch('custom', [{ id: 77, records: [logRecord('custom')] }])
    expect(await auditOf()).toMatchObject({ failures: [], inTables: { batches: 6, notCompared: 3 } })
  })
})

/** Deletes the ledger rows of all log entries before that one. */
async function pruneLogs(index: number): Promise<void> {
  await run(
    `delete from ingest_ledger where stream = $1 and upper(ids) < ($2 || lpad($3, 20, '0'))::numeric`,
    [streamOf('logs'), ...partsOf(idAt('logs', index))],
  )
}

describe('ids that are listed more than once', () => {
  test('of two histories of a stream are compared together, and what is gone of either is found', async () => {
    const { redis } = service
    await redis.del(streamOf('logs'))
    for (const [number, id] of ids.logs.entries())
      await addEntry('logs', [logRecord(`other ${number}`), logRecord('more'), logRecord('most')], id)
    await ingested()
    const [{ forks } = { forks: 0 }] = await service.query<{ forks: number }>(
      'select count(distinct fork)::int as forks from ingest_ledger where stream = $1',
      [streamOf('logs')],
    )
    expect(forks).toBe(2)
    const clean = await auditOf()
    expect(clean).toMatchObject({
      failures: [],
      inStream: { committed: 4 },
      inTables: { listed: 8, rows: 20 },
    })
    await run(`delete from log_records where ${OF_ENTRY} and body = 'most'`, partsOf(idAt('logs', 1)))
    // Which of the two histories lacks it cannot be told, and a fork may be one batch of all four.
    const [lacking, ...others] = (await runAudit()).failures
    expect(others).toEqual([])
    expect(lacking).toMatchObject({
      kind: 'rows',
      detail: expect.stringContaining('batches that share entries'),
    })
    const around = {
      from: keyOf(parseEntryId(lacking?.id ?? '')),
      to: keyOf(parseEntryId(lacking?.lastId ?? '')),
    }
    const key = keyOf(parseEntryId(idAt('logs', 1)))
    expect(around.from <= key && key <= around.to).toBe(true)
    await run(
      `insert into log_records select * from log_records where ${OF_ENTRY} and body = 'more'`,
      partsOf(idAt('logs', 2)),
    )
    expect(await failuresOf()).toContain(`logs twice ${idAt('logs', 2)}`)
  })

  test('of two streams are compared together', async () => {
    const id = parseEntryId(idAt('logs', 1))
    await writeBatch('other:logs', [{ id, crc: 5, records: [logRecord('of another'), BAD_RECORD] }])
    expect(await auditOf()).toMatchObject({ failures: [], inTables: { batches: 5, rows: 9, letters: 5 } })
    await run(`delete from log_records where body = 'of another'`)
    expect(await failuresOf()).toEqual([`logs rows ${batchAt('logs', 1)}`])
  })
})

describe('a range', () => {
  test('leaves out what lies beyond it', async () => {
    await run(`delete from log_records where ${OF_ENTRY}`, partsOf(idAt('logs', 0)))
    await run(`delete from ingest_ledger where stream = $1 and ids @> ($2 || lpad($3, 20, '0'))::numeric`, [
      streamOf('logs'),
      ...partsOf(idAt('logs', 3)),
    ])
    const key = (index: number) => keyOf(parseEntryId(idAt('logs', index)))
    const within = await auditOf({ range: { from: key(1), to: key(2) } })
    expect(within).toMatchObject({
      failures: [],
      inStream: { entries: 2, committed: 2 },
      inTables: { batches: 2, rows: 4, letters: 2 },
    })
    expect(await failuresOf({ range: { from: key(0), to: key(1) } })).toHaveLength(2)
    expect(await failuresOf({ range: { from: key(2), to: key(3) } })).toHaveLength(2)
  })

  test('reaches to the ends of the batches it touches', async () => {
    const base = Date.now() - 60_000
    const entries = [0, 1, 2].map((more) => ({ id: base + more, records: [logRecord(`batch ${more}`)] }))
    await writeBatch('other:logs', entries)
    await run(`delete from log_records where body = 'batch 2'`)
    const key = keyOf({ ms: BigInt(base), seq: 0n })
    expect(await failuresOf({ range: { from: key, to: key } })).toEqual([
      `logs rows ${base}-0..${base + 2}-0`,
      `logs no_record ${base + 2}-0`,
    ])
  })
})

test('a service that ingests all the while gives no false alarm', async () => {
  const ended = new AbortController()
  const producing = (async () => {
    for (let number = 0; !ended.signal.aborted; number += 1) {
      const pipeline = service.redis.pipeline()
      for (let each = 0; each < 100; each += 1)
        pipeline.xadd(
          streamOf('logs'),
          '*',
          'json',
          JSON.stringify([logRecord(`${number} ${each}`), BAD_RECORD]),
        )
      pipeline.xadd(streamOf('traces'), '*', 'json', JSON.stringify([span(`busy ${number}`)]))
      pipeline.xtrim(streamOf('traces'), 'MAXLEN', 20)
      await pipeline.exec()
      await delay(5)
    }
  })()
  let underWay = 0
  try {
    const until = Date.now() + 6000
    while (Date.now() < until) {
      const { failures, audits } = await runAudit()
      expect(failures).toEqual([])
      for (const { inStream } of audits) underWay += inStream.pending + inStream.unread
    }
  } finally {
    ended.abort()
    await producing
  }
  await ingested()
  expect(underWay, 'an audit met entries that were under way').toBeGreaterThan(0)
  const { failures, audits } = await runAudit()
  expect(failures).toEqual([])
  expect(audits[2]?.inTables.listed).toBeGreaterThan(1000)
})

describe('the command', () => {
  const env = () => ({
    DATABASE_URL: service.databaseUrl,
    REDIS_URL: testRedisUrl(),
    STREAM_PREFIX: service.prefix,
  })

  test('prints the counts and exits 0; with a failure it names the id and exits 1', async () => {
    const fine = await runObservatory(['audit'], { env: env() })
    expect([fine.code, fine.stderr]).toEqual([0, ''])
    expect(fine.stdout).toMatch(/^STREAM +ENTRIES +COMMITTED/)
    expect(fine.stdout).toMatch(/\nEverything that can be checked is there exactly once\n$/)
    await run(`delete from dead_letters where ${LETTER_OF_ENTRY}`, partsOf(idAt('logs', 1)))
    const failed = await runObservatory(['audit', '--signal', 'logs'], { env: env() })
    expect([failed.code, failed.stderr]).toEqual([1, ''])
    expect(failed.stdout).toContain(`logs ${batchAt('logs', 1)} letters: the batch of ${streamOf('logs')}`)
    expect(failed.stdout).toMatch(/\n2 failures\n$/)
    const other = await runObservatory(['audit', '--signal', 'metrics'], { env: env() })
    expect(other.code).toBe(0)
    const json = await runObservatory(['audit', '--json', '--from', idAt('logs', 1)], { env: env() })
    expect(json.code).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject({
      failures: [{ signal: 'logs', kind: 'letters', id: idAt('logs', 1) }, { kind: 'no_record' }],
      signals: [{ signal: 'traces', failures: 0 }, { signal: 'metrics' }, { signal: 'logs', failures: 2 }],
    })
  })

  test('refuses a place that is none, and a range that is empty', async () => {
    const wrong = await runObservatory(['audit', '--from', 'yesterday'], { env: env() })
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('Expected an entry id')])
    const empty = await runObservatory(['audit', '--from', '-1h', '--to', '5-0'], { env: env() })
    expect([empty.code, empty.stderr]).toEqual([2, expect.stringContaining('--from lies after --to')])
  })

  test('audits 50,000 records in seconds and little memory, with every row of them gone, too', async () => {
    for (let from = 0; from < 50_000; from += 5000) {
      const pipeline = service.redis.pipeline()
      for (let number = from; number < from + 5000; number += 1)
        pipeline.xadd(streamOf('logs'), '*', 'service', 'load', 'body', `record ${number} ${'x'.repeat(200)}`)
      await pipeline.exec()
    }
    await ingested()
    const small = { ...env(), NODE_OPTIONS: '--max-old-space-size=48' }
    const started = performance.now()
    const { code, stdout } = await runObservatory(['audit', '--json'], { env: small })
    expect(code).toBe(0)
    expect(JSON.parse(stdout).signals[2]).toMatchObject({
      inStream: { entries: 50_004, committed: 50_004 },
      inTables: { rows: 50_008 },
    })
    expect(performance.now() - started).toBeLessThan(40_000)
    await run('truncate ingest_ledger')
    const failed = await runObservatory(['audit', '--signal', 'logs'], { env: small })
    expect([failed.code, failed.stderr]).toEqual([1, ''])
    expect(failed.stdout).toMatch(/\n50,004 failures\n$/)
  }, 180_000)
})
