import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPool } from '../../src/pool.ts'
import { Partitions } from '../../src/retention/partitions.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { createReaderRole, type ReaderRole } from '../helpers/reader-role.ts'
import { select } from '../helpers/stored.ts'
import { createTestDatabase } from '../helpers/test-database.ts'

/** All there are. One that is added is to be granted, or not to be, on purpose. */
const VIEWS = ['evaluation_view', 'llm_calls', 'log_view', 'point_view', 'span_view', 'traces']

const NOW = Date.now()
let databaseUrl: string
let role: ReaderRole
const read = (sql: string) => select(role.databaseUrl, sql)

beforeAll(async () => {
  ;({ databaseUrl } = await createTestDatabase())
  role = await createReaderRole(databaseUrl)
  await addPartitions(NOW)
  await addRecords(NOW)
})
afterAll(() => role?.drop())

async function addPartitions(time: number): Promise<void> {
  const pool = createPool({ databaseUrl, applicationName: 'partitions', max: 1, onError: () => undefined })
  await new Partitions({ pool, interval: 'day' }).ensureAhead(0, time)
  await pool.end()
}

/** A call with a prompt, a log record and a judgement of that time. */
async function addRecords(time: number): Promise<void> {
  const at = `to_timestamp(${time / 1000}), ${time}000000, 1`
  await select(
    databaseUrl,
    `with
       resource as (insert into resources (resource_id, service, environment, attributes) values (1, 'bot', 'production', '{}') on conflict do nothing),
       call as (insert into spans (start_time, start_time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, trace_id, record_index, kind,
           status_code, has_content, span_id, service, name, attributes, request_model, input_tokens)
         values (${at}, 1, 1, ${time}, gen_random_uuid(), 0, 1, 0, true, '\\x01', 'bot', 'chat', '{}', 'm', 7) returning *),
       content as (insert into span_contents (start_time, entry_ms, entry_seq, trace_id, record_index, attributes)
         select start_time, 1, ${time}, trace_id, 0, '{"prompt":"why?"}' from call),
       log as (insert into log_records (time, time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, record_index, severity_number,
           has_content, body_is_json, service, attributes, body)
         values (${at}, 1, 1, ${time}, 0, 9, false, false, 'bot', '{}', 'disk full')),
       judgement as (insert into evaluations (time, time_unix_nano, resource_id, entry_ms, entry_seq, record_index, position, signal, name)
         values (${at}, 1, ${time}, 0, 0, 'logs', 'tone'))
     insert into metric_points (time, time_unix_nano, series_id, entry_ms, entry_seq, record_index) values (${at}, 1, ${time}, 0)`,
  )
}

const countOf = async (view: string) => (await read(`select count(*)::int as count from ${view}`))[0]?.count

test('it reads every view', async () => {
  const views = await select(
    databaseUrl,
    `select viewname from pg_views where schemaname = 'public' order by 1`,
  )
  expect(views.map(({ viewname }) => viewname)).toEqual(VIEWS)
  for (const view of VIEWS) {
    expect(await read(`select * from ${view}`), view).not.toEqual([])
  }
})

test('a view finds the contents that lie beside', async () => {
  expect(await read('select attributes from span_view')).toEqual([{ attributes: { prompt: 'why?' } }])
})

test('no table is its to read, nor what a table has by a function', async () => {
  const tables = await select(
    databaseUrl,
    `select oid::regclass::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`,
  )
  expect(tables.length).toBeGreaterThan(15)
  await withPostgres(role.databaseUrl, async (client) => {
    for (const { name } of tables)
      await expect(client.query(`select from ${name}`), String(name)).rejects.toMatchObject({ code: '42501' })
    for (const rows of ['span_rows', 'log_rows', 'trace_summaries'])
      await expect(client.query(`select from ${rows}('-infinity', 'infinity')`), rows).rejects.toMatchObject({
        code: '42501',
      })
  })
})

test.each([
  [`insert into log_view (service) values ('x')`],
  ['delete from llm_calls'],
  ['delete from spans'],
  ['create table mine (a int)'],
  ['drop view traces'],
  ['truncate dead_letters'],
  ["select pg_cancel_backend(pg_backend_pid()) from pg_read_file('PG_VERSION')"],
])('%s is refused, also where a session writes', async (sql) => {
  await withPostgres(role.databaseUrl, async (client) => {
    await expect(client.query(sql)).rejects.toMatchObject({
      code: expect.stringMatching(/^(25006|42501|55000)$/),
    })
    await client.query('set default_transaction_read_only = off')
    await expect(client.query(sql)).rejects.toMatchObject({ code: expect.stringMatching(/^(42501|55000)$/) })
  })
})

test('a transaction is read-only unless its session says otherwise', async () => {
  expect(await read('show transaction_read_only')).toEqual([{ transaction_read_only: 'on' }])
})

test('a long statement ends', async () => {
  expect(await read('show statement_timeout')).toEqual([{ statement_timeout: '30s' }])
  // The same setting, shorter.
  await select(databaseUrl, `alter role ${role.name} set statement_timeout = '100ms'`)
  await expect(read('select pg_sleep(20)')).rejects.toMatchObject({ code: '57014' })
  await role.grant()
  expect(await read('show statement_timeout')).toEqual([{ statement_timeout: '30s' }])
})

test('new partitions are read without a new grant', async () => {
  const before = await countOf('span_view')
  const later = NOW + 40 * 86_400_000
  await addPartitions(later)
  await addRecords(later)
  expect(await countOf('span_view')).toBe(before + 1)
})

test('a view that a migration makes anew is read again once the script ran again', async () => {
  const [view] = await select(databaseUrl, `select pg_get_viewdef('llm_calls') as text`)
  await select(databaseUrl, `drop view llm_calls`)
  await select(databaseUrl, `create view llm_calls as ${view?.text}`)
  await expect(countOf('llm_calls')).rejects.toMatchObject({ code: '42501' })
  await role.grant()
  expect(await countOf('llm_calls')).toBeGreaterThan(0)
})
