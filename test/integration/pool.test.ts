import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { cancelQuery } from '../../src/cancel-query.ts'
import { type JoinedServers, joinServers } from '../../src/embedded/servers.ts'
import { checkHealth, createPool, type PoolOptions, poolStats } from '../../src/pool.ts'
import { openClient } from '../../src/postgres-connection.ts'
import { type WaitForPostgresOptions, waitForPostgres } from '../../src/wait-for-postgres.ts'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/free-port.ts'
import { urlOfDatabase, withPostgres } from '../helpers/postgres.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY, TEST_AUTHORITY } from '../helpers/tls-certificates.ts'

let databaseUrl: string
beforeAll(async () => {
  databaseUrl = (await createTestDatabase()).databaseUrl
})

const pools: pg.Pool[] = []
const proxies: TcpProxy[] = []
const errors: Error[] = []
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close()
  for (const pool of pools.splice(0)) await pool.end()
  errors.length = 0
})

function openPool(options: Partial<PoolOptions> = {}): pg.Pool {
  const onError = (error: Error) => errors.push(error)
  const pool = createPool({ databaseUrl, applicationName: 'pool test', max: 2, onError, ...options })
  pools.push(pool)
  return pool
}

async function proxied(port?: number): Promise<{ proxy: TcpProxy; url: string }> {
  const proxy = await createTcpProxy(databaseUrl, port)
  proxies.push(proxy)
  return { proxy, url: atPort(databaseUrl, proxy.port) }
}

function atPort(url: string, port: number): string {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}

function changed(url: string, change: Partial<URL>): string {
  return Object.assign(new URL(url), change).href
}

async function pidOf(queryable: Pick<pg.ClientBase, 'query'>): Promise<number> {
  const { rows } = await queryable.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid ?? 0
}

async function terminate(pid: number): Promise<void> {
  await withPostgres(databaseUrl, (client) => client.query('select pg_terminate_backend($1, 5000)', [pid]))
}

describe('a lost connection', () => {
  test('does not end the process while it idles in the pool, which makes a new one', async () => {
    const pool = openPool()
    const pid = await pidOf(pool)
    await terminate(pid)
    await eventually(() => expect(poolStats(pool).total).toBe(0))
    expect(errors).toHaveLength(1)
    expect(await pidOf(pool)).not.toBe(pid)
  })

  test('does not end the process while it is checked out: its next query fails', async () => {
    const pool = openPool()
    const client = await pool.connect()
    await terminate(await pidOf(client))
    await eventually(() => expect(errors).toHaveLength(1))
    await expect(client.query('select 1')).rejects.toThrow()
    client.release()
    expect(poolStats(pool)).toEqual({ total: 0, idle: 0, waiting: 0, max: 2 })
    expect(await checkHealth(pool)).toMatchObject({ ok: true })
  })

  test('fails the query that runs on it', async () => {
    const pool = openPool()
    const client = await pool.connect()
    const pid = await pidOf(client)
    const query = client.query('select pg_sleep(60)')
    await Promise.all([expect(query).rejects.toMatchObject({ code: '57P01' }), terminate(pid)])
    client.release(true)
    expect(await checkHealth(pool)).toMatchObject({ ok: true })
  })

  test('without a word from the network is found out by a health check, and thrown away', async () => {
    const { proxy, url } = await proxied()
    const pool = openPool({ databaseUrl: url })
    expect(await checkHealth(pool)).toEqual({ ok: true, latencyMs: expect.any(Number) })
    proxy.freeze()
    expect(await checkHealth(pool, 200)).toMatchObject({
      ok: false,
      error: { message: 'Query read timeout' },
    })
    expect(poolStats(pool).total).toBe(0)
    proxy.thaw()
    expect(await checkHealth(pool)).toMatchObject({ ok: true })
  })

  test('to a server that is gone altogether is an unhealthy pool, not an exception', async () => {
    const { proxy, url } = await proxied()
    const pool = openPool({ databaseUrl: url })
    await checkHealth(pool)
    await proxies.pop()?.close()
    expect(proxy.accepted()).toBe(1)
    await eventually(() => expect(errors).toHaveLength(1))
    expect(await checkHealth(pool)).toMatchObject({ ok: false, error: { code: 'ECONNREFUSED' } })
  })
})

describe('a session', () => {
  const show = async (pool: pg.Pool, ...names: string[]): Promise<Record<string, string>> => {
    const text = 'select name, current_setting(name) as value from unnest($1::text[]) as name'
    const { rows } = await pool.query<{ name: string; value: string }>(text, [names])
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
  }

  test('is set so that no setting of the server, database or role changes a guarantee', async () => {
    const name = new URL(databaseUrl).pathname.slice(1)
    await withPostgres(databaseUrl, async (client) => {
      for (const setting of [
        'synchronous_commit = off',
        "timezone = 'Asia/Tokyo'",
        "datestyle = 'SQL, DMY'",
        'statement_timeout = 60000',
        'lock_timeout = 60000',
        'extra_float_digits = 0',
      ]) {
        await client.query(`alter database ${name} set ${setting}`)
      }
    })
    const pool = openPool({ lockTimeoutMs: 2000, idleInTransactionTimeoutMs: 3000 })
    try {
      expect(
        await show(
          pool,
          'application_name',
          'synchronous_commit',
          'TimeZone',
          'DateStyle',
          'extra_float_digits',
        ),
      ).toEqual({
        application_name: 'pool test',
        synchronous_commit: 'on',
        TimeZone: 'UTC',
        DateStyle: 'ISO, MDY',
        extra_float_digits: '1',
      })
      expect(
        await show(pool, 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'),
      ).toEqual({
        statement_timeout: '0',
        lock_timeout: '2s',
        idle_in_transaction_session_timeout: '3s',
      })
    } finally {
      await withPostgres(databaseUrl, (client) => client.query(`alter database ${name} reset all`))
    }
  })

  test('keeps a synchronous_commit that is stronger than on', async () => {
    const options = encodeURIComponent('-c synchronous_commit=remote_apply')
    const pool = openPool({ databaseUrl: `${databaseUrl}?options=${options}` })
    expect(await show(pool, 'synchronous_commit')).toEqual({ synchronous_commit: 'remote_apply' })
  })

  test('is set before its first user gets it, also when many come at once', async () => {
    const pool = openPool({ max: 4, statementTimeoutMs: 1234 })
    const shown = await Promise.all(Array.from({ length: 8 }, () => show(pool, 'statement_timeout')))
    expect(shown).toEqual(Array(8).fill({ statement_timeout: '1234ms' }))
    expect(poolStats(pool).total).toBe(4)
  })

  test('ends a statement that runs too long, and a transaction that idles too long', async () => {
    const pool = openPool({ statementTimeoutMs: 50, idleInTransactionTimeoutMs: 50 })
    await expect(pool.query('select pg_sleep(10)')).rejects.toMatchObject({ code: '57014' })
    const client = await pool.connect()
    await client.query('begin')
    await eventually(() => expect(errors).toHaveLength(1))
    expect(errors[0]).toMatchObject({ code: '25P03' })
    client.release(true)
  })

  test('gives int8 as text, for it does not fit a number, and says what waits', async () => {
    const pool = openPool({ max: 2 })
    const clients = await Promise.all([pool.connect(), pool.connect()])
    const waiting = pool.query('select 9007199254740993::int8 as n')
    expect(poolStats(pool)).toEqual({ total: 2, idle: 0, waiting: 1, max: 2 })
    for (const client of clients) client.release()
    expect((await waiting).rows).toEqual([{ n: '9007199254740993' }])
  })
})

describe('waiting for PostgreSQL', () => {
  const wait = async (options: Partial<WaitForPostgresOptions> = {}) => {
    const startedAt = performance.now()
    const outcome = await waitForPostgres({ databaseUrl, timeoutMs: 20_000, ...options }).catch(
      (error: unknown) => error,
    )
    return { outcome, ms: performance.now() - startedAt }
  }

  test('ends at once when it answers, with its version', async () => {
    const { outcome } = await wait()
    expect(outcome).toEqual({
      version: expect.stringMatching(/^\d+\.\d+/),
      versionNumber: expect.any(Number),
    })
  })

  test('ends when it starts to answer, and says once that it waits', async () => {
    const { proxy, url } = await proxied()
    await proxies.pop()?.close()
    const lines: string[] = []
    const log = { info: (message: unknown) => void lines.push(String(message)) }
    const waited = wait({ databaseUrl: url, log })
    await eventually(() => expect(lines).toHaveLength(1))
    await new Promise((resolve) => setTimeout(resolve, 400))
    await proxied(proxy.port)
    expect((await waited).outcome).toHaveProperty('versionNumber')
    expect(lines).toEqual([
      expect.stringMatching(/^waiting for PostgreSQL at 127\.0\.0\.1:\d+\/\w+: .*ECONNREFUSED/),
    ])
  })

  test('gives up in time, naming host, port and the last cause, but not the password', async () => {
    const { proxy, url } = await proxied()
    await proxies.pop()?.close()
    const { outcome, ms } = await wait({ databaseUrl: url, timeoutMs: 300 })
    expect(outcome).toMatchObject({ code: 'ERR_SERVER_UNREACHABLE', cause: { code: 'ECONNREFUSED' } })
    expect((outcome as Error).message).toContain(`127.0.0.1:${proxy.port}`)
    expect((outcome as Error).message).not.toContain(new URL(url).password)
    expect(ms).toBeLessThan(1500)
  })

  test('gives up on a server that accepts and then says nothing', async () => {
    const { proxy, url } = await proxied()
    proxy.freeze()
    const { outcome, ms } = await wait({ databaseUrl: url, timeoutMs: 300 })
    expect(outcome).toMatchObject({ code: 'ERR_SERVER_UNREACHABLE' })
    expect(ms).toBeLessThan(3000)
  })

  test('ends as soon as it is aborted, with the reason', async () => {
    const { proxy, url } = await proxied()
    proxy.freeze()
    const stopping = new AbortController()
    setTimeout(() => stopping.abort(new Error('stop')), 50)
    const { outcome, ms } = await wait({ databaseUrl: url, signal: stopping.signal })
    expect(outcome).toMatchObject({ message: 'stop' })
    expect(ms).toBeLessThan(1000)
  })

  test.each<[string, (url: string) => string, string]>([
    ['a wrong password', (url) => changed(url, { password: 'hunter2' }), 'password authentication failed'],
    ['no password', (url) => changed(url, { password: '' }), 'asks for a password and DATABASE_URL has none'],
    ['an unknown user', (url) => changed(url, { username: 'nobody_here' }), 'nobody_here'],
    ['no such database', (url) => urlOfDatabase(url, 'no_such'), 'database "no_such" does not exist'],
  ])('%s is an error at once', async (_what, change, message) => {
    const { outcome, ms } = await wait({ databaseUrl: change(databaseUrl) })
    expect(outcome).toMatchObject({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(message) })
    expect((outcome as Error).message).not.toContain('hunter2')
    expect(ms).toBeLessThan(3000)
  })
})

describe('TLS', () => {
  let folder: string
  let servers: JoinedServers
  let url: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pool-tls-'))
    writeFileSync(join(folder, 'ca.pem'), TEST_AUTHORITY)
    servers = await joinServers({
      dataDir: join(folder, 'data'),
      postgres: true,
      redis: false,
      postgresPort: await freePort(),
      postgresBin: process.env.OBSERVATORY_TEST_POSTGRES_BIN,
    })
    url = servers.databaseUrl ?? ''
    await withPostgres(url, async (client) => {
      // The server writes its own files, so that their owner and rights are right whatever account it runs as.
      await client.query(`copy (select '') to program 'cat > tls.key; chmod 600 tls.key'`)
      const write = (pem: string, file: string) =>
        client.query(
          `copy (select unnest(string_to_array('${pem}', E'\\n'))) to program 'cat > ${file}; chmod 600 ${file}'`,
        )
      await write(LOCALHOST_KEY, 'tls.key')
      await write(LOCALHOST_CERTIFICATE, 'tls.crt')
      for (const setting of ["ssl_key_file = 'tls.key'", "ssl_cert_file = 'tls.crt'", 'ssl = on']) {
        await client.query(`alter system set ${setting}`)
      }
      await client.query('select pg_reload_conf()')
    })
    await eventually(async () => expect(await usesTls('require', '127.0.0.1')).toBe(true))
  })
  afterAll(async () => {
    await servers.leave()
    rmSync(folder, { recursive: true })
  })

  /** Whether the connection is encrypted; throws if there is none. */
  async function usesTls(sslMode: string, host: string, base = url): Promise<boolean> {
    const databaseUrl = changed(base, {
      hostname: host,
      search: `?sslmode=${sslMode.replace('CA', `${folder}/ca.pem`)}`,
    })
    const client = await openClient({ databaseUrl, applicationName: 'tls test' })
    const { rows } = await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
    await client.end()
    return rows[0]?.ssl
  }

  test('is used where the server offers it, except with disable', async () => {
    expect(await usesTls('prefer', '127.0.0.1')).toBe(true)
    expect(await usesTls('require', '127.0.0.1')).toBe(true)
    expect(await usesTls('disable', '127.0.0.1')).toBe(false)
  })

  test('with verify-ca asks who signed, with verify-full also for whom', async () => {
    expect(await usesTls('verify-ca&sslrootcert=CA', '127.0.0.1')).toBe(true)
    expect(await usesTls('verify-full&sslrootcert=CA', 'localhost')).toBe(true)
    await expect(usesTls('verify-full&sslrootcert=CA', '127.0.0.1')).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    await expect(usesTls('verify-full', 'localhost')).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    })
  })

  test('that cannot be verified is an error at once when waiting for the server', async () => {
    const wait = waitForPostgres({ databaseUrl: `${url}?sslmode=verify-full`, timeoutMs: 60_000 })
    await expect(wait).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' })
  })

  test('is done without by prefer, and insisted on by require, where the server has none', async () => {
    const plain = inject('adminUrl')
    expect(await usesTls('prefer', '127.0.0.1', plain)).toBe(false)
    await expect(usesTls('require', '127.0.0.1', plain)).rejects.toThrow('does not support SSL')
  })

  test('encrypts the cancel of a query as it does its connection', async () => {
    const tap: Buffer[] = []
    const listener = createServer((inbound) => {
      const outbound = connect(Number(new URL(url).port), '127.0.0.1')
      inbound.on('data', (bytes) => tap.push(bytes))
      for (const socket of [inbound, outbound]) socket.on('error', () => undefined)
      inbound.pipe(outbound).pipe(inbound)
    }).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const tapped = atPort(url, (listener.address() as AddressInfo).port)
    const cancelCode = Buffer.from([0x04, 0xd2, 0x16, 0x2e])
    for (const [sslMode, plain] of [
      [`verify-full&sslrootcert=${folder}/ca.pem`, false],
      ['prefer', false],
      ['disable', true],
    ] as const) {
      const databaseUrl = changed(tapped, { hostname: 'localhost', search: `?sslmode=${sslMode}` })
      const client = await openClient({ databaseUrl, applicationName: 'cancel test' })
      const cancelled = expect(client.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57014' })
      // A cancel that comes before it has begun ends nothing.
      await eventually(async () => {
        const running = `select from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'`
        expect((await withPostgres(url, (other) => other.query(running))).rowCount).toBe(1)
      })
      await Promise.all([cancelled, cancelQuery(client)])
      expect(Buffer.concat(tap.splice(0)).includes(cancelCode), sslMode).toBe(plain)
      await client.end()
    }
    listener.close()
  })

  test('a pool with prefer works with and without it, and says when nobody answers', async () => {
    for (const [base, encrypted] of [
      [url, true],
      [inject('adminUrl'), false],
    ] as const) {
      const pool = openPool({ databaseUrl: `${base}?sslmode=prefer` })
      const { rows } = await pool.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
      expect(rows).toEqual([{ ssl: encrypted }])
    }
    const { proxy, url: proxiedUrl } = await proxied()
    await proxies.pop()?.close()
    const pool = openPool({ databaseUrl: `${atPort(proxiedUrl, proxy.port)}?sslmode=prefer` })
    await expect(pool.query('select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(poolStats(pool).total).toBe(0)
  })
})
