import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { LAUNCHER, runObservatory } from '../helpers/run-observatory.ts'
import { createTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix, withRedis } from '../helpers/test-redis.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY, TEST_AUTHORITY } from '../helpers/tls-certificates.ts'

const ON_TERMINAL = fileURLToPath(new URL('../helpers/run-on-terminal.py', import.meta.url))
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l'

let cwd: string
let database: TestDatabase
let prefix: string
let redisUrl: string
let env: Record<string, string>

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'observatory-live-status-'))
  database = await createTestDatabase()
})
afterAll(() => rm(cwd, { recursive: true, force: true }))
beforeEach(async () => {
  ;({ prefix, redisUrl } = await createTestPrefix())
  env = {
    DATABASE_URL: database.databaseUrl,
    REDIS_URL: redisUrl,
    STREAM_PREFIX: prefix,
    HTTP_PORT: '29999',
    TERM: 'xterm-256color',
  }
})

/** `observatory status` on a terminal, and what that has got so far. */
class Terminal {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  /** All that was written to it. */
  text = ''
  mode = ''

  constructor(args: readonly string[] = [], { columns = 80, rows = 60, with: added = {} } = {}) {
    const command = [process.execPath, LAUNCHER, 'status', '--interval', '0.2', ...args]
    this.child = spawn('python3', [ON_TERMINAL, String(columns), String(rows), ...command], {
      cwd,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env, ...added },
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.text += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.mode += text
    })
    this.ended = once(this.child, 'close').then(([code]) => code as number | null)
    terminals.push(this)
  }

  /** The lines of the newest whole drawing, without colors. */
  get lines(): readonly string[] {
    const drawings = this.text.split('\u001b[H')
    // The newest may not have come wholly.
    const whole = drawings.findLast((drawing) => drawing.includes('\u001b[J')) ?? ''
    const drawn = whole.slice(0, whole.indexOf('\u001b[J'))
    return drawn.split(/\r*\n/).map((line) => stripVTControlCharacters(line))
  }

  async shows(pattern: RegExp): Promise<void> {
    await eventually(() => expect(this.lines.join('\n')).toMatch(pattern))
  }

  press(keys: string): void {
    this.child.stdin?.write(keys)
  }
}

const terminals: Terminal[] = []
afterEach(async () => {
  for (const { child, ended } of terminals.splice(0)) {
    child.kill('SIGTERM')
    await ended
  }
})

/** As it was before, with the cursor and the modes that a shell wants. */
function expectGivenBack(terminal: Terminal): void {
  expect(terminal.text.split(ENTER)).toHaveLength(2)
  expect(terminal.text.slice(terminal.text.lastIndexOf('\u001b[J'))).toContain(LEAVE)
  expect(terminal.mode).toBe('echo=1 canonical=1\n')
}

describe('on a terminal', () => {
  test('it is live: what changes is shown, with the group, its consumers, dead letters, tables and partitions', async () => {
    const terminal = new Terminal()
    await terminal.shows(new RegExp(`^${prefix}:logs +0 +no group +- +-`, 'm'))
    await terminal.shows(/^log_records +0 +\d\S* \w+ +\d+ +\d+ /m)
    await terminal.shows(/^No dead letters$/m)
    await terminal.shows(/^Service: none answers at http:\/\/127\.0\.0\.1:29999$/m)
    await withRedis(async (redis) => {
      for (const message of ['one', 'two', 'three'])
        await redis.xadd(`${prefix}:logs`, '*', 'message', message)
      await redis.xgroup('CREATE', `${prefix}:logs`, 'observatory', '0')
      await redis.xreadgroup(
        'GROUP',
        'observatory',
        'worker\u001b[31m-1',
        'COUNT',
        1,
        'STREAMS',
        `${prefix}:logs`,
        '>',
      )
    })
    await terminal.shows(new RegExp(`^${prefix}:logs +3 +2 +1 +\\d+ m?s +[\\d.]+`, 'm'))
    await terminal.shows(/^worker\\x1b\[31m-1 +logs +1 +\d/m)
    await withPostgres(database.databaseUrl, (client) =>
      client.query(
        `insert into dead_letters (stream, signal, entry_ms, entry_seq, record_index, reason, detail,
           payload_bytes, payload_form)
         values ('${prefix}:logs', 'logs', 1, 1, 0, 'not_json', 'x', 0, 'json')`,
      ),
    )
    await terminal.shows(/^logs +not_json +1 +1$/m)
    terminal.press('q')
    expect(await terminal.ended).toBe(0)
    expectGivenBack(terminal)
  })

  test('a service that answers tells what is in flight', async () => {
    const { createServer } = await import('node:http')
    const metrics =
      'observatory_in_flight_bytes{signal="logs"} 1024\nobservatory_in_flight_bytes{signal="traces"} 1024\n' +
      'observatory_in_flight_limit_bytes 67108864\nobservatory_backpressure_paused_seconds_total 1.25\n'
    const server = createServer((_, response) => response.end(metrics)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    try {
      const terminal = new Terminal(['--http-port', String(port)])
      await terminal.shows(/^ {2}in flight 2\.0 KiB of 64\.0 MiB, reading paused 1\.3 s so far$/m)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  describe('a service with tokens and a certificate', () => {
    const token = 'read-0123456789abcdef'
    let service: TestService
    let files: { readonly cert: string; readonly key: string; readonly authority: string }
    let port: string
    beforeAll(async () => {
      files = {
        cert: join(cwd, 'cert.pem'),
        key: join(cwd, 'key.pem'),
        authority: join(cwd, 'authority.pem'),
      }
      await writeFile(files.cert, LOCALHOST_CERTIFICATE)
      await writeFile(files.key, LOCALHOST_KEY)
      await writeFile(files.authority, TEST_AUTHORITY)
      service = await startTestService({
        ACCESS_TOKENS: `read:${token},ingest:ingest-0123456789abcdef`,
        HTTP_TLS_CERT_FILE: files.cert,
        HTTP_TLS_KEY_FILE: files.key,
      })
      port = new URL(service.service.url).port
    })
    afterAll(() => service?.close())

    test('is told by its token, over HTTPS', async () => {
      const terminal = new Terminal(['--url', `https://localhost:${port}`], {
        with: { ACCESS_TOKEN: token, NODE_EXTRA_CA_CERTS: files.authority },
      })
      await terminal.shows(new RegExp(`^Service at https://localhost:${port}\\n {2}in flight 0 B of `, 'm'))
    })

    test('is found by the settings it has itself', async () => {
      const terminal = new Terminal([], {
        with: {
          HTTP_HOST: 'localhost',
          HTTP_PORT: port,
          HTTP_TLS_CERT_FILE: files.cert,
          ACCESS_TOKEN: token,
          NODE_EXTRA_CA_CERTS: files.authority,
        },
      })
      await terminal.shows(new RegExp(`^Service at https://localhost:${port}\\n {2}in flight 0 B of `, 'm'))
    })

    test.each([
      ['no token', {}, /^ {2}it wants a token: set ACCESS_TOKEN$/m],
      ['a wrong one', { ACCESS_TOKEN: 'wrong-0123456789abcdef' }, /^ {2}it does not know the token/m],
      [
        'one that may not read',
        { ACCESS_TOKEN: 'ingest-0123456789abcdef' },
        /^ {2}the token .* may not read/m,
      ],
      ['no authority', { NODE_EXTRA_CA_CERTS: '', ACCESS_TOKEN: token }, /: NODE_EXTRA_CA_CERTS is to name/],
    ])('with %s says what is missing, and shows the rest', async (_, env, message) => {
      const terminal = new Terminal(['--url', `https://localhost:${port}`], {
        columns: 150,
        with: { NODE_EXTRA_CA_CERTS: files.authority, ...env },
      })
      await terminal.shows(message)
      await terminal.shows(/^STREAM[\s\S]*^spans/m)
    })
  })

  test.each([
    ['q', (terminal: Terminal) => terminal.press('q')],
    ['Ctrl-C', (terminal: Terminal) => terminal.press('\u0003')],
    ['SIGTERM', (terminal: Terminal) => void terminal.child.kill('SIGTERM')],
  ])('%s ends it with exit code 0, and gives the terminal back', async (_, end) => {
    const terminal = new Terminal()
    await terminal.shows(/^STREAM/m)
    end(terminal)
    expect(await terminal.ended).toBe(0)
    expectGivenBack(terminal)
  })

  test('no line is wider than a narrow terminal, and what is below is reached by scrolling', async () => {
    const terminal = new Terminal([], { columns: 30, rows: 8 })
    await terminal.shows(/more lines: down$/)
    expect(terminal.lines).toHaveLength(8)
    expect(terminal.lines.filter((line) => line.length > 30)).toEqual([])
    expect(terminal.lines.some((line) => line.endsWith('…'))).toBe(true)
    await eventually(() => {
      terminal.press('jj ')
      expect(terminal.lines.join('\n')).toMatch(/^ingest_ledger[\s\S]*q ends it$/m)
    })
  })

  test('it has colors, and none with NO_COLOR', async () => {
    const colored = new Terminal()
    await colored.shows(/^STREAM/m)
    expect(colored.text).toContain('\u001b[1m')
    const plain = new Terminal([], { with: { NO_COLOR: '1' } })
    await plain.shows(/^STREAM/m)
    expect(plain.text.replaceAll(/\W\[[HJK]|\W\[\?\d+[hl]/g, '')).not.toContain('\u001b')
  })

  test('with --once it is told once, without another screen', async () => {
    const terminal = new Terminal(['--once'])
    expect(await terminal.ended).toBe(0)
    expect(terminal.text).toContain('CONSUMERS')
    expect(terminal.text).not.toContain('\u001b')
  })

  test('without a server that is known it fails, and the terminal is as it was', async () => {
    const terminal = new Terminal([], { with: { REDIS_URL: '' } })
    expect(await terminal.ended).toBe(1)
    expect(terminal.text).toContain('no embedded Redis runs')
    expect(terminal.text).not.toContain('\u001b[?1049h')
  })
})

describe('a server that is lost', () => {
  let proxy: TcpProxy
  afterEach(() => proxy.close())

  test.each(['DATABASE_URL', 'REDIS_URL'])('of %s is told, and tried again', async (name) => {
    proxy = await createTcpProxy(env[name] ?? '')
    const { port } = proxy
    const url = new URL(env[name] ?? '')
    url.host = `127.0.0.1:${port}`
    const terminal = new Terminal([], { with: { [name]: url.href } })
    const server = name === 'REDIS_URL' ? 'Redis' : 'PostgreSQL'
    await terminal.shows(/^STREAM[\s\S]*^spans/m)
    await proxy.close()
    await terminal.shows(new RegExp(`^${server} at \\S+\\n {2}LOST \\d+ m?s ago, trying again: .*\\w`, 'm'))
    proxy = await createTcpProxy(env[name] ?? '', port)
    await eventually(() => expect(terminal.lines.join('\n')).not.toContain('LOST'))
    terminal.press('q')
    expect(await terminal.ended).toBe(0)
    expectGivenBack(terminal)
  })

  test.each(['DATABASE_URL', 'REDIS_URL'])(
    'of %s, and is silent, keeps nobody from ending it',
    async (name) => {
      proxy = await createTcpProxy(env[name] ?? '')
      const url = new URL(env[name] ?? '')
      url.host = `127.0.0.1:${proxy.port}`
      const terminal = new Terminal([], { with: { [name]: url.href } })
      await terminal.shows(/^STREAM[\s\S]*^spans/m)
      proxy.freeze()
      const startedAt = performance.now()
      terminal.press('q')
      expect(await terminal.ended).toBe(0)
      expect(performance.now() - startedAt).toBeLessThan(3000)
      expectGivenBack(terminal)
    },
  )
})

test('into a pipe it is told once, and as JSON, with the buffers of a service', async () => {
  const { code, stdout } = await runObservatory(['status'], { env, cwd })
  expect([code, stdout.includes('\u001b')]).toEqual([0, false])
  expect(stdout).toMatch(/^STREAM +ENTRIES +LAG +PENDING +CONSUMERS$/m)
  const json = await runObservatory(['status', '--json'], { env, cwd })
  expect(Object.keys(JSON.parse(json.stdout))).toEqual([
    'servers',
    'service',
    'streams',
    'migrations',
    'tables',
    'deadLetters',
    'ledger',
  ])
  const [stream] = JSON.parse(json.stdout).streams
  expect(Object.keys(stream)).toEqual(['signal', 'stream', 'length', 'lag', 'pending', 'consumers'])
  expect(JSON.parse(json.stdout).service).toMatchObject({
    url: 'http://127.0.0.1:29999',
    answers: false,
    problem: expect.stringContaining('ECONNREFUSED'),
  })
  const token = 'read-0123456789abcdef'
  const running = await startTestService({ ACCESS_TOKENS: `read:${token}` })
  try {
    const status = async (ACCESS_TOKEN: string) => {
      const args = ['status', '--json', '--url', running.service.url]
      const asked = await runObservatory(args, { env: { ...env, ACCESS_TOKEN }, cwd })
      return JSON.parse(asked.stdout).service
    }
    expect(await status(token)).toEqual({
      url: running.service.url,
      answers: true,
      inFlightBytes: 0,
      inFlightLimitBytes: 64 * 1024 * 1024,
      pausedSeconds: 0,
      otlpBodiesBytes: 0,
    })
    expect(await status('')).toMatchObject({ answers: true, problem: 'it wants a token: set ACCESS_TOKEN' })
  } finally {
    await running.close()
  }
})

test.each(['0', '-1', 'x', '4000'])('an interval of %s is refused', async (interval) => {
  const { code, stderr } = await runObservatory(['status', '--interval', interval], { env, cwd })
  expect(code).toBe(2)
  expect(stderr).toContain('Expected seconds, 0.2 to 3600.')
})
