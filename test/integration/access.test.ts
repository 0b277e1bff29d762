import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { get as getByTls } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/free-port.ts'
import { RunningCommand, runObservatory } from '../helpers/run-observatory.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY, TEST_AUTHORITY } from '../helpers/tls-certificates.ts'

const TOKENS = {
  ingest: 'ingest-0123456789abcdef',
  read: 'read-0123456789abcdef',
  admin: 'admin-0123456789abcdef',
} as const
const ACCESS_TOKENS = Object.entries(TOKENS)
  .map(([role, token]) => `${role}:${token}`)
  .join(',')
const lines: string[] = []
let app: TestService
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'access-test-'))
  app = await startTestService(
    { ACCESS_TOKENS, OTLP_SERVICE_RATE_LIMIT: '5' },
    { log: (line) => lines.push(line) },
  )
})
afterAll(async () => {
  await app?.close()
  await rm(folder, { recursive: true, force: true })
})

/** The status of an answer; what comes after it is not waited for. */
async function statusOf(path: string, token?: string, { method = 'GET', body = '' } = {}): Promise<number> {
  const leaving = new AbortController()
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(method === 'POST' && { 'content-type': 'application/json' }),
  }
  const { status } = await fetch(new URL(path, app.service.url), {
    method,
    headers,
    signal: leaving.signal,
    ...(method === 'POST' && { body }),
  })
  leaving.abort()
  return status
}

describe('every route', async () => {
  const { paths } = (await import('../../docs/openapi.json', { with: { type: 'json' } }))
    .default as unknown as {
    paths: Record<string, Record<string, unknown>>
  }
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => [method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'a'.repeat(32))]),
  )
  const others = [
    ['GET', '/'],
    ['GET', '/page/page/page.css'],
    ['GET', '/openapi.json'],
    ['GET', '/no/such/route'],
    ['GET', '/v1/logs'],
  ]
  const open = ['/healthz', '/readyz']

  test.each([...documented, ...others] as [string, string][])(
    '%s %s takes the tokens that it should take, and no other',
    async (method, path) => {
      const ask = (token?: string) => statusOf(path, token, { method, body: '{}' })
      const isOpen = open.includes(path)
      const [needed, lesser] = path.startsWith('/v1/')
        ? [TOKENS.ingest, TOKENS.read]
        : [TOKENS.read, TOKENS.ingest]
      const denied = await Promise.all([ask(), ask('wrong-0123456789abcdef'), ask(`${needed}x`), ask(lesser)])
      const [none, wrong, longer, other] = denied
      expect([none, wrong, longer, other]).toEqual(isOpen ? [200, 200, 200, 200] : [401, 401, 401, 403])
      for (const status of [await ask(needed), await ask(TOKENS.admin)])
        expect([401, 403]).not.toContain(status)
    },
  )
})

test('a service that is not ready tells everybody so, and why only to those with a token', async () => {
  const { redisUrl } = await createTestPrefix()
  const port = String(await freePort())
  const DATABASE_URL = 'postgresql://somebody@127.0.0.1:1/nowhere'
  const env = { ACCESS_TOKENS, DATABASE_URL, REDIS_URL: redisUrl, HTTP_PORT: port }
  const starting = new RunningCommand(['serve', '--only', 'api'], { env, cwd: folder })
  try {
    const ask = (headers: Record<string, string>) => fetch(`http://127.0.0.1:${port}/readyz`, { headers })
    const unknown = await eventually(() => ask({}))
    expect([unknown.status, await unknown.json()]).toEqual([
      503,
      { ready: false, problems: ['whoever sends a token is told'] },
    ])
    const known = await ask({ authorization: `Bearer ${TOKENS.ingest}` })
    expect([known.status, await known.text()]).toEqual([503, expect.stringContaining('ECONNREFUSED')])
  } finally {
    await starting.kill()
  }
})

test('a browser is asked for a token, and gets in with it as the password', async () => {
  const page = new URL('/', app.service.url)
  const asked = await fetch(page)
  expect(asked.headers.get('www-authenticate')).toContain('Basic realm=')
  expect(await asked.json()).toMatchObject({ status: 401, detail: expect.stringContaining('Bearer') })
  const authorization = `Basic ${Buffer.from(`me:${TOKENS.read}`).toString('base64')}`
  const answer = await fetch(page, { headers: { authorization } })
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('<html')])
})

test('tokens are in no log, no problem and no printed setting', async () => {
  const problems = await Promise.all(
    ['/api/v1/logs?nonsense=1', '/v1/logs'].map(async (path) =>
      (
        await fetch(new URL(path, app.service.url), { headers: { authorization: `Bearer ${TOKENS.read}` } })
      ).text(),
    ),
  )
  const file = join(folder, 'tokens')
  await writeFile(file, `# of the applications\ningest:${TOKENS.ingest}\nread:${TOKENS.read} # Grafana\n`)
  const printed = await runObservatory(['serve', '--print-config'], {
    env: { ACCESS_TOKENS_FILE: file, ACCESS_TOKEN: TOKENS.admin },
    cwd: folder,
  })
  expect(printed.stdout).toMatch(
    /^ACCESS_TOKENS +ingest:\*\*\*,read:\*\*\* +environment, ACCESS_TOKENS_FILE/m,
  )
  const wrong = await runObservatory(['serve', '--print-config'], {
    env: { ACCESS_TOKENS: `read:${TOKENS.read},read:short` },
    cwd: folder,
  })
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('number 2 of its tokens is none')])
  const all = [...lines, ...problems, printed.stdout, printed.stderr, wrong.stderr].join('\n')
  for (const token of Object.values(TOKENS)) expect(all).not.toContain(token)
})

test('a tail of the command line gets in by ACCESS_TOKEN, and without it is told what is missing', async () => {
  const tail = (env: Record<string, string>) =>
    runObservatory(['tail', 'logs', '--no-follow', '--url', app.service.url], { env, cwd: folder })
  expect(await tail({ ACCESS_TOKEN: TOKENS.read })).toMatchObject({ code: 0 })
  expect(await tail({})).toMatchObject({ code: 1, stderr: expect.stringContaining('set ACCESS_TOKEN') })
})

test('a service that sends too much by OTLP is told to come again, and others are not', async () => {
  const send = (service: string, records: number) => {
    const logRecords = Array.from({ length: records }, (_, n) => ({
      body: { stringValue: `${service} ${n}` },
    }))
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] }
    return fetch(new URL('/v1/logs', app.service.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKENS.ingest}`, 'content-type': 'application/json' },
      body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }),
    })
  }
  expect((await send('loud', 200)).status).toBe(200)
  const refused = await send('loud', 1)
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(3)
  expect(await refused.json()).toMatchObject({ message: expect.stringContaining('OTLP_SERVICE_RATE_LIMIT') })
  expect((await send('quiet', 1)).status).toBe(200)
  await eventually(async () =>
    expect(
      await app.query('select service, count(*)::int as n from log_view group by service order by service'),
    ).toEqual([
      { service: 'loud', n: 200 },
      { service: 'quiet', n: 1 },
    ]),
  )
})

describe('a service for this machine alone', () => {
  let open: TestService
  beforeAll(async () => {
    open = await startTestService(
      {
        HTTP_ALLOWED_HOSTS: 'observatory.test, other.test',
        HTTP_RATE_LIMIT: '20',
        HTTP_MAX_CONNECTIONS: '100',
      },
      { roles: ['api'] },
    )
  })
  afterAll(() => open?.close())

  const askAs = (host: string) =>
    new Promise<number | undefined>((resolve, reject) =>
      get(
        new URL('/healthz', open.service.url),
        { headers: { host }, agent: false },
        (answer: IncomingMessage) => {
          answer.resume()
          resolve(answer.statusCode)
        },
      ).once('error', reject),
    )

  test.each(['localhost', '127.0.0.1:4318', '[::1]:4318', 'observatory.test', 'OTHER.test:80'])(
    'answers when it is asked as %s',
    async (host) => expect(await askAs(host)).toBe(200),
  )

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io:4318', '10.0.0.1'])(
    'does not when it is asked as %s',
    async (host) => expect(await askAs(host)).toBe(421),
  )

  test('answers 429 to who asks too often, and again after a while', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 80 }, () => open.get('/healthz').then((a) => a.status)),
    )
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    await eventually(async () => expect((await open.get('/healthz')).status).toBe(200))
  })

  test('closes connections past the most that there may be, and takes others when some have gone', async () => {
    const port = Number(new URL(open.service.url).port)
    const sockets = Array.from({ length: 140 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
    const closed = () => sockets.filter((socket) => socket.destroyed).length
    await eventually(() => expect(closed()).toBeGreaterThanOrEqual(40))
    for (const socket of sockets) socket.destroy()
    await eventually(async () => expect((await open.get('/healthz')).status).toBe(200))
  })
})

describe('serve', () => {
  const start = async (env: Record<string, string>) => {
    const { databaseUrl } = await createTestDatabase()
    const { redisUrl } = await createTestPrefix()
    return runObservatory(['serve', '--only', 'api'], {
      env: { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, HTTP_PORT: '0', ...env },
      cwd: folder,
    })
  }

  test('does not listen to other machines without tokens, and says how it would', async () => {
    const { code, stderr } = await start({ HTTP_HOST: '0.0.0.0' })
    expect(code).not.toBe(0)
    expect(stderr).toMatch(
      /HTTP_HOST=0\.0\.0\.0 lets other machines in.*ACCESS_TOKENS.*HTTP_WITHOUT_TOKENS=anywhere/,
    )
  })

  test('does so with a setting, loudly, and with tokens, quietly', async () => {
    const warned: string[] = []
    const log = (line: string) => warned.push(line)
    const open = await startTestService(
      { HTTP_HOST: '0.0.0.0', HTTP_WITHOUT_TOKENS: 'anywhere' },
      { roles: ['api'], log },
    )
    await open.close()
    expect(warned.filter((line) => line.includes('"warn"')).join()).toContain('may read everything')
    warned.length = 0
    const closed = await startTestService({ HTTP_HOST: '0.0.0.0', ACCESS_TOKENS }, { roles: ['api'], log })
    await closed.close()
    expect(warned.filter((line) => line.includes('"warn"'))).toEqual([])
  })

  test('speaks TLS with a certificate, and refuses half of one', async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    await Promise.all([writeFile(cert, LOCALHOST_CERTIFICATE), writeFile(key, LOCALHOST_KEY)])
    const secure = await startTestService(
      { HTTP_TLS_CERT_FILE: cert, HTTP_TLS_KEY_FILE: key },
      { roles: ['api'] },
    )
    try {
      const url = new URL('/healthz', secure.service.url.replace('127.0.0.1', 'localhost'))
      expect(url.protocol).toBe('https:')
      const status = await new Promise((resolve, reject) =>
        getByTls(
          url,
          {
            ca: TEST_AUTHORITY,
            agent: false,
            lookup: (_, __, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
          },
          (answer) => {
            answer.resume()
            resolve(answer.statusCode)
          },
        ).once('error', reject),
      )
      expect(status).toBe(200)
    } finally {
      await secure.close()
    }
    const half = await start({ HTTP_TLS_CERT_FILE: cert })
    expect([half.code, half.stderr]).toEqual([2, expect.stringContaining('HTTP_TLS_KEY_FILE')])
  })
})
