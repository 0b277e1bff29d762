import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { insertLetter, type LetterShape, resp } from '../helpers/dead-letters.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { type Finished, RunningCommand, runObservatory } from '../helpers/run-observatory.ts'
import { select } from '../helpers/stored.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'

const COPYING = `select from pg_stat_activity
  where datname = current_database() and query like 'copy log_records%' and wait_event_type = 'Lock'`
const UNKNOWN = '11111111-2222-4333-8444-555555555555'

let cwd: string
let database: TestDatabase

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'observatory-letters-'))
})
afterAll(() => rm(cwd, { recursive: true, force: true }))
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

const insert = (shape: LetterShape = {}) => insertLetter(database.databaseUrl, shape)
const env = () => ({ DATABASE_URL: database.databaseUrl })
const run = (...args: string[]): Promise<Finished> =>
  runObservatory(['dead-letters', ...args], { env: env(), cwd })
const rowsOf = <R extends Record<string, unknown>>(text: string) => select<R>(database.databaseUrl, text)
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000)

describe('list', () => {
  test('is a table, newest first, and says when there is none', async () => {
    expect(await run('list')).toMatchObject({ code: 0, stderr: 'no dead letter matches\n' })
    const old = await insert({ at: minutesAgo(60), reason: 'bad_time', detail: 'older' })
    const recent = await insert({ signal: 'traces', detail: 'evil \u001b[31mred\r\n\u202eback' })
    const { code, stdout, stderr } = await run('list')
    expect([code, stderr]).toEqual([0, ''])
    const [head, ...lines] = stdout.trimEnd().split('\n')
    expect(head).toMatch(/^ID +REFUSED +SIGNAL +REASON +STATE +DETAIL$/)
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^${recent}  .{20}  traces   wrong_type +waiting   evil `)),
      expect.stringMatching(new RegExp(`^${old}  .{20}  logs     bad_time +waiting   older$`)),
    ])
    expect(lines[0]).toContain('evil \\x1b[31mred\\r\\n\\u{202e}back')
  })

  test('filters by reason, signal and time, and hides purged ones unless asked', async () => {
    await insert({ at: minutesAgo(90), reason: 'bad_id', detail: 'a' })
    await insert({ at: minutesAgo(30), reason: 'bad_id', signal: 'traces', detail: 'b' })
    await insert({ at: minutesAgo(10), reason: 'bad_time', detail: 'c' })
    await withPostgres(database.databaseUrl, (client) =>
      client.query(`insert into dead_letters (entry_ms, entry_seq, record_index, payload_bytes, stream, signal, reason, detail, payload_form, purged_at)
                    values (1, 1, 0, 5, 's', 'logs', 'bad_id', 'p', 'record', now())`),
    )
    const details = async (...args: string[]) => {
      const { code, stdout } = await run('list', '--json', ...args)
      expect(code).toBe(0)
      const lines = stdout.split('\n').slice(0, -1)
      return lines.map((line) => JSON.parse(line).detail).join('')
    }
    const found = [
      await details(),
      await details('--purged'),
      await details('--reason', 'bad_id'),
      await details('--signal', 'logs'),
      await details('--from', '-1h'),
      await details('--to', '-1h'),
      await details('--from', '-1h', '--to', '-20m', '--signal', 'traces'),
      await details('--limit', '1'),
    ]
    expect(found).toEqual(['cba', 'pcba', 'ba', 'ca', 'cb', 'a', 'b', 'c'])
  })

  test('as JSON has a letter a line, with everything but the payload', async () => {
    const at = new Date('2026-01-02T03:04:05.678Z')
    const payload = { message: 1 }
    const id = await insert({ at, payload, ms: 5, seq: 2n ** 64n - 1n, index: 4, detail: 'why' })
    const { stdout } = await run('list', '--json')
    expect(JSON.parse(stdout)).toEqual({
      ...{ id, deadLetteredAt: '2026-01-02T03:04:05.678000Z', signal: 'logs', stream: 'telemetry:logs' },
      ...{ entryId: '5-18446744073709551615', recordIndex: 4, reason: 'wrong_type', detail: 'why' },
      ...{ payloadForm: 'record', payloadBytes: 13, payloadKept: true },
    })
  })

  test('takes any number of letters in constant memory', async () => {
    await withPostgres(database.databaseUrl, (client) =>
      client.query(`insert into dead_letters (entry_ms, entry_seq, record_index, payload_bytes, stream, signal, reason, detail, payload_form)
                    select 1, n, 0, 0, 's', 'logs', 'bad_id', repeat('x', 900), 'record' from generate_series(1, 100000) n`),
    )
    const limited = { ...env(), NODE_OPTIONS: '--max-old-space-size=48' }
    const { code, stdout } = await runObservatory(['dead-letters', 'list', '--json'], { env: limited, cwd })
    expect([code, stdout.split('\n').length]).toEqual([0, 100_001])
  })
})

describe('show', () => {
  test('tells everything, with JSON indented and its integers exact', async () => {
    const id = await insert({
      payload: '{"big":12345678901234567890,"a":["x"]}',
      ms: 7,
      seq: 3,
      detail: 'no\nway',
    })
    const { code, stdout } = await run('show', id.toUpperCase())
    expect(code).toBe(0)
    expect(stdout).toContain(`id        ${id}\n`)
    expect(stdout).toMatch(/^entry {5}7-3$/m)
    expect(stdout).toMatch(/^detail {4}no\\nway$/m)
    expect(stdout).toContain('{\n  "big": 12345678901234567890,\n  "a": [\n    "x"\n  ]\n}\n')
  })

  test('shows the fields of an entry, and bytes that are no text, without moving the cursor', async () => {
    const binary = Buffer.from([0x41, 0x00, 0xff, 0x1b, 0x5b, 0x5c])
    const id = await insert({
      form: 'entry',
      payload: resp('otlp', binary, 'na\u001bme', 'grüße\n\u009b'),
      index: -1,
    })
    const { stdout } = await run('show', id)
    expect(stdout).toContain('record    the whole entry\n')
    expect(stdout).toContain('\notlp: A\\x00\\xff\\x1b[\\\\\nna\\x1bme: grüße\\n\\x9b\n')
    const broken = await insert({ form: 'json', payload: Buffer.from([0x7b, 0xff, 0x0a, 0x07]), index: -1 })
    expect((await run('show', broken)).stdout).toContain('\n\n{\\xff\n\\x07\n')
  })

  test('--raw writes the bytes and nothing else, whatever they are and however many', async () => {
    const bytes = Buffer.alloc(
      20 * 1024 * 1024,
      Buffer.from(Array.from({ length: 251 }, (_, byte) => (byte * 7) % 256)),
    )
    const id = await insert({ form: 'json', payload: bytes, index: -1 })
    const command = new RunningCommand(['dead-letters', 'show', id, '--raw'], { env: env(), cwd })
    const chunks: Buffer[] = []
    command.child.stdout?.removeAllListeners('data')
    const { stdout } = command.child
    if (stdout === null) throw new Error('no standard output')
    // RunningCommand reads text; a stream that has begun cannot be set back to bytes, so they are read as latin1.
    stdout.setEncoding('latin1').on('data', (text: string) => chunks.push(Buffer.from(text, 'latin1')))
    expect((await command.finished).code).toBe(0)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })

  test('--json has the payload as base64', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const id = await insert({ form: 'json', payload: bytes, index: -1 })
    const { payload } = JSON.parse((await run('show', id, '--json')).stdout)
    expect(Buffer.from(payload, 'base64').equals(bytes)).toBe(true)
  })

  test('of an id that is none, or of a payload that is gone, says so', async () => {
    expect(await run('show', UNKNOWN)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no dead letter'),
    })
    expect(await run('show', 'x')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Expected an id'),
    })
    const id = await insert({ payload: null })
    expect((await run('show', id)).stdout).toContain('gone: it was not kept (DEAD_LETTER_PAYLOAD)')
    expect(await run('show', id, '--raw')).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('replay', () => {
  test('replays all that wait, and exits 1 with a line for each that is refused again', async () => {
    await insert()
    await insert({ signal: 'metrics', payload: { name: 'size', type: 'gauge', value: 1, time: Date.now() } })
    const bad = await insert({ payload: { message: 'x', traceId: 'no' } })
    const { code, stdout, stderr } = await run('replay')
    expect(stderr).toBe('replayed 2 dead letters as 2 rows, refused 1 again\n')
    expect(stdout).toMatch(new RegExp(`^${bad}  bad_id +  .*traceId.*\\n$`))
    expect(code).toBe(1)
    await run('purge', bad)
    expect(await run('replay')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'replayed 0 dead letters as 0 rows, refused 0 again\n',
    })
    expect(await rowsOf('select count(*)::int as count from log_records')).toEqual([{ count: 1 }])
  })

  test('follows the settings of now', async () => {
    const time = new Date(Date.now() - 40 * 86_400_000)
    const id = await insert({ payload: { message: 'old', time }, reason: 'time_out_of_window' })
    expect((await run('replay', id)).code).toBe(1)
    expect(await run('replay', id, '--accept-past-days', '60')).toMatchObject({
      ...{ code: 0, stdout: '', stderr: 'replayed 1 dead letter as 1 rows, refused 0 again\n' },
    })
  })

  test('of ids tells which were replayed or purged before, and fails for those that are none', async () => {
    const [id, purged] = [await insert(), await insert()]
    await run('purge', purged)
    expect((await run('replay', id, id)).stderr).toContain('replayed 1 dead letter')
    expect(await run('replay', id)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`${id} was replayed before`),
    })
    expect(await run('replay', purged)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing left to replay'),
    })
    expect(await run('replay', UNKNOWN)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is no dead letter'),
    })
  })

  test('--dry-run writes nothing', async () => {
    await insert()
    expect((await run('replay', '--dry-run')).stderr).toMatch(
      /^would replay 1 dead letter as 1 rows, refuse 0/,
    )
    expect(await rowsOf('select count(*)::int as count from log_records')).toEqual([{ count: 0 }])
  })

  test('that is asked to stop commits what it writes, and leaves the rest to the next one', async () => {
    await run('replay', await insert())
    await withPostgres(database.databaseUrl, (client) =>
      client.query(`insert into dead_letters (entry_ms, entry_seq, record_index, payload_bytes, stream, signal, reason, detail, payload_form, payload)
                    select extract(epoch from now()) * 1000, n, 0, 15, 's', 'logs', 'bad_id', '', 'record', '{"message":"x"}' from generate_series(1, 1500) n`),
    )
    await withPostgres(database.databaseUrl, async (locker) => {
      await locker.query('begin; lock table log_records in share row exclusive mode')
      const stopped = new RunningCommand(['dead-letters', 'replay'], { env: env(), cwd })
      await expect.poll(async () => (await rowsOf(COPYING)).length, { timeout: 20_000 }).toBe(1)
      stopped.child.kill('SIGINT')
      // Nothing tells that it heard; what it is writing goes on.
      await sleep(300)
      expect(await rowsOf(COPYING)).toHaveLength(1)
      await locker.query('commit')
      const { code, stderr } = await stopped.finished
      expect(stderr).toBe(
        'replayed 1000 dead letters as 1000 rows, refused 0 again\ninterrupted: run it again for the rest\n',
      )
      expect(code).toBe(1)
    })
    expect((await run('replay')).stderr).toContain('replayed 500 dead letters as 500 rows')
    expect(await rowsOf('select count(*)::int as count from log_records')).toEqual([{ count: 1501 }])
  })

  test('that is killed while it writes is done by the next one, once', async () => {
    const [first] = [await insert()]
    await run('replay', first)
    for (let n = 0; n < 10; n += 1) await insert()
    await withPostgres(database.databaseUrl, async (locker) => {
      await locker.query('begin; lock table log_records in share row exclusive mode')
      const killed = new RunningCommand(['dead-letters', 'replay'], { env: env(), cwd })
      await expect.poll(async () => (await rowsOf(COPYING)).length, { timeout: 20_000 }).toBe(1)
      await killed.kill()
      await locker.query('commit')
    })
    // The server notices that the process is gone a moment later, and holds its letters until then.
    await expect
      .poll(async () => (await run('replay')).stderr, { timeout: 20_000 })
      .toMatch(/^replayed 0 dead letters as 0 rows, refused 0 again\n$/)
    expect(await rowsOf('select count(*)::int as count from log_records')).toEqual([{ count: 11 }])
    expect(await rowsOf('select count(replayed_at)::int as count from dead_letters')).toEqual([{ count: 11 }])
  })
})

describe('purge', () => {
  const states = () =>
    rowsOf<{ kept: boolean }>(
      `select payload is not null as kept, purged_at is not null as purged, detail from dead_letters order by dead_lettered_at`,
    )

  test('erases payload and detail of what is named, and keeps the letter', async () => {
    await insert({ at: minutesAgo(30), detail: 'secret' })
    const id = await insert({ at: minutesAgo(20), detail: 'kept' })
    expect(await run('purge', '--to', '-25m')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'purged 1 dead letter\n',
    })
    expect(await states()).toEqual([
      { kept: false, purged: true, detail: '' },
      { kept: true, purged: false, detail: 'kept' },
    ])
    expect((await run('list', '--json')).stdout).toContain(id)
    expect((await run('purge', id)).stderr).toBe('purged 1 dead letter\n')
    expect((await run('list', '--json')).stdout).toBe('')
    expect(await run('purge', id)).toMatchObject({ code: 0, stderr: 'purged 0 dead letters\n' })
    expect((await run('purge', UNKNOWN)).code).toBe(1)
  })

  test('--all erases any number; --dry-run counts them and erases none', async () => {
    await withPostgres(database.databaseUrl, (client) =>
      client.query(`insert into dead_letters (entry_ms, entry_seq, record_index, payload_bytes, stream, signal, reason, detail, payload_form, payload)
                    select 1, n, 0, 1, 's', 'logs', 'bad_id', 'x', 'record', 'x' from generate_series(1, 12000) n`),
    )
    expect((await run('purge', '--all', '--dry-run')).stderr).toBe('would purge 12000 dead letters\n')
    expect((await run('purge', '--all')).stderr).toBe('purged 12000 dead letters\n')
    expect(
      await rowsOf(
        'select count(*)::int as count from dead_letters where payload is null and purged_at is not null',
      ),
    ).toEqual([{ count: 12_000 }])
  })

  test.each([
    [['purge'], /no letter is named/],
    [['purge', '--all', '--reason', 'bad_id'], /exclude one another/],
    [['replay', UNKNOWN, '--signal', 'logs'], /exclude one another/],
    [['purge', '--reason', 'nonsense'], /Allowed choices are not_json/],
    [['list', '--from', 'yesterday'], /Expected RFC 3339/],
    [['list', '--limit', '0'], /whole number above 0/],
    [['replay', 'x'], /Expected an id/],
    [['sow'], /unknown command 'sow'/],
    [['list', '--jsno'], /unknown option '--jsno'[\s\S]*observatory dead-letters list --help/],
  ])('%j is wrong usage, and erases nothing', async (args, told) => {
    await insert()
    const { code, stdout, stderr } = await run(...args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(told)
    expect(await states()).toMatchObject([{ kept: true }])
  })
})

test.each([[], ['list'], ['show'], ['replay'], ['purge']])(
  'help of %j has a description and examples',
  async (...part) => {
    const { code, stdout, stderr } = await run(...part.filter((each) => typeof each === 'string'), '--help')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Usage: observatory dead-letters/)
    expect(stdout).toMatch(/\nExamples:\n {2}observatory dead-letters/)
  },
)

test('a database that was never migrated is told as such', async () => {
  await withPostgres(database.databaseUrl, (client) => client.query('drop table dead_letters'))
  expect(await run('list')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('run "observatory migrate"'),
  })
})
