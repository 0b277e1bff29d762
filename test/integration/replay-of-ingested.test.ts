import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { runObservatory } from '../helpers/run-observatory.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let service: TestService
let cwd: string

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'observatory-replay-'))
  service = await startTestService()
})
afterAll(async () => {
  await service?.close()
  await rm(cwd, { recursive: true, force: true })
})

const NOW = Date.now()
const ATTRIBUTES = {
  'big integer': 12345678901234567890n.toString(),
  nested: { list: [1, 2.5, null, true, { deep: 'ünïcödé' }] },
  bytes: { bytesValue: 'AAECAw==' },
  'gen_ai.prompt': 'a prompt',
  'gen_ai.usage.input_tokens': 7,
  'not a number': 'NaN',
}
/** JSON text, so that integers past 2^53 and escapes come as they would from a sender. */
const ATTRIBUTES_JSON = JSON.stringify(ATTRIBUTES)
  .replace('"12345678901234567890"', '12345678901234567890')
  .replace('a prompt', 'a \\u0000 \\ud800 prompt')

const SPAN = `{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"chat","kind":"client","startTime":${NOW},
  "durationMs":1.5,"status":"error","attributes":${ATTRIBUTES_JSON},"events":[{"name":"e","timeUnixNano":"${NOW}000001"}],
  "links":[{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b175"}],"service":"api","resource":{"host":"a"},"scope":{"name":"lib"}}`
const POINT = `{"name":"size","type":"histogram","unit":"By","time":${NOW},"count":3,"sum":6,"bucketCounts":[1,2],"explicitBounds":[1],
  "attributes":${ATTRIBUTES_JSON},"service":"api"}`
const GAUGE = `{"name":"depth","type":"gauge","time":${NOW},"value":9007199254740993,"service":"api"}`
const LOG = `{"timeUnixNano":"${NOW}123456","level":"warn","body":{"k":[1,{"bytesValue":"AAEC"}]},"attributes":${ATTRIBUTES_JSON},"service":"api"}`

async function send(): Promise<void> {
  const { redis, prefix } = service
  await redis.xadd(`${prefix}:traces`, '*', 'json', `[${SPAN},${SPAN}]`)
  await redis.xadd(`${prefix}:metrics`, '*', 'json', `[${POINT},${GAUGE}]`)
  await redis.xadd(`${prefix}:logs`, '*', 'json', LOG)
  await redis.xadd(
    `${prefix}:logs`,
    '*',
    'service',
    'api',
    'message',
    'flat',
    'time',
    `${NOW}`,
    'level',
    'error',
    'n',
    '5',
  )
}

const TABLES = ['spans', 'metric_points', 'log_records'] as const
const refuseAll = (verb: 'add' | 'drop') =>
  service.query(
    TABLES.map(
      (table) =>
        `alter table ${table} ${verb} constraint refused ${verb === 'add' ? 'check (false) not valid' : ''}`,
    ).join(';'),
  )
const count = async (text: string) =>
  (await service.query<{ count: number }>(`select count(*)::int as count from ${text}`))[0]?.count

/** All rows as a reader sees them, and when their entries came. */
async function readRows(): Promise<{ entry: string; record: string }[]> {
  const rows: { entry: string; record: string }[] = []
  for (const path of ['spans', 'logs', 'metrics/size/points', 'metrics/depth/points']) {
    const lines = (await (await service.get(`/api/v1/${path}?format=ndjson`)).text())
      .split('\n')
      .filter(Boolean)
    rows.push(...lines.map((record) => ({ entry: path, record })))
  }
  return rows
}

test('what a replay writes equals what ingest would have written', async () => {
  await refuseAll('add')
  await send()
  await eventually(async () => expect(await count('dead_letters')).toBe(6))
  expect(await readRows()).toEqual([])
  await refuseAll('drop')
  const replay = () =>
    runObservatory(['dead-letters', 'replay'], { env: { DATABASE_URL: service.databaseUrl }, cwd })
  expect(await replay()).toMatchObject({
    code: 0,
    stderr: 'replayed 6 dead letters as 6 rows, refused 0 again\n',
  })
  const replayed = await readRows()
  expect(replayed).toHaveLength(6)

  await service.query(
    'delete from spans; delete from span_contents; delete from metric_points; delete from log_records',
  )
  await send()
  await eventually(async () => expect(await readRows()).toHaveLength(6))
  expect((await readRows()).map(({ record }) => record).sort()).toEqual(
    replayed.map(({ record }) => record).sort(),
  )
})

test('rows, letters and what was replayed of them add up to what the ledger counts', async () => {
  await service.query(
    'truncate spans, span_contents, metric_points, log_records, dead_letters, ingest_ledger',
  )
  const { redis, prefix } = service
  const long = `[${LOG},{"message":1,"traceId":"bad"},${LOG.replace('{', '{"eventName":"refused",')}]`
  await service.query(`alter table log_records add constraint refused check (event_name <> 'refused')`)
  await redis.xadd(`${prefix}:logs`, '*', 'json', long)
  await redis.xadd(`${prefix}:logs`, '*', 'json', `[${LOG},7]`, 'beside', 'makes it unknown')
  await eventually(async () => expect(await count('dead_letters')).toBe(3))
  await service.query(`alter table log_records drop constraint refused`)
  // As if a later version read this form.
  await service.query(
    `update dead_letters set payload_form = 'json', payload = convert_to($1, 'UTF8'), payload_bytes = length($1) where record_index = -1`,
    [`[${LOG},7]`],
  )
  const { code, stderr } = await runObservatory(['dead-letters', 'replay'], {
    env: { DATABASE_URL: service.databaseUrl },
    cwd,
  })
  expect([code, stderr.split('\n')[0]]).toEqual([1, 'replayed 2 dead letters as 2 rows, refused 1 again'])
  expect(
    await service.query(
      `select (select count(*) from log_records)::int as rows, sum(replayed_rows)::int as replayed,
              count(*)::int as letters, count(replay_of)::int as added,
              (select sum(row_count)::int from ingest_ledger) as ledger_rows,
              (select sum(letter_count)::int from ingest_ledger) as ledger_letters
         from dead_letters`,
    ),
  ).toEqual([{ rows: 3, replayed: 2, letters: 4, added: 1, ledger_rows: 1, ledger_letters: 3 }])
})
