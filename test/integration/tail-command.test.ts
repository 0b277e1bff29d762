import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { httpTail } from '../../src/commands/tail/http-tail.ts'
import { type ReconnectingTailOptions, reconnectingTail } from '../../src/commands/tail/reconnecting-tail.ts'
import { TailLost } from '../../src/commands/tail/tail-lost.ts'
import type { TailEvent } from '../../src/tail/tail-event.ts'
import { eventually } from '../helpers/eventually.ts'
import { LAUNCHER, RunningCommand, runObservatory } from '../helpers/run-observatory.ts'
import { type TailAnswer, TailServer } from '../helpers/tail-server.ts'

let server: TailServer
let cwd: string

beforeAll(async () => {
  server = await TailServer.start()
  cwd = await mkdtemp(join(tmpdir(), 'observatory-tail-'))
})
// A tail does not end by itself when a test fails.
afterEach(() => Promise.all(started.splice(0).map((command) => command.kill())))
afterAll(async () => {
  await server?.close()
  await rm(cwd, { recursive: true, force: true })
})

const log = (body: string) => ({
  timeUnixNano: '1577880000123000000',
  severityNumber: 17,
  service: 'api',
  body,
  attributes: {},
})
const linesOf = (text: string) => text.split('\n').slice(0, -1)
const bodiesOf = (text: string) => linesOf(text).map((line) => JSON.parse(line).body as string)
const started: RunningCommand[] = []
function start(...args: string[]): RunningCommand {
  const command = new RunningCommand(['tail', ...args, '--url', server.url], { cwd })
  started.push(command)
  return command
}
const run = (...args: string[]) => start(...args).finished

describe('the command', () => {
  test('asks for what its flags say, as they are written, and writes records into a pipe as they came', async () => {
    const odd = '{"body":"\u202e", "big":12345678901234567890}'
    server.answer((tail) => {
      tail.begin().record('1-0-0', odd)
      tail.record('1-0-1', log('second'))
      tail.heartbeat().event('news', { of: 'a later version' }).bye('limit')
    })
    const words = ['--level', 'warn', '--q', 'a "b c"', '--attr', 'user.id=a=b', '--trace-id', 'F'.repeat(32)]
    const amount = ['--since', '-15m', '--sample', '0.5', '--limit', '7']
    const { code, stdout, stderr } = await run('logs', ...words, ...amount)
    expect([code, stdout]).toEqual([0, `${odd}\n${JSON.stringify(log('second'))}\n`])
    expect(linesOf(stderr)).toEqual([
      `-- connected to ${server.url}`,
      '-- bye from the server: all records that were asked for have come',
    ])
    const [{ request, parameters } = {} as TailAnswer] = server.answers
    expect(request.url).toMatch(/^\/api\/v1\/logs\/tail\?/)
    expect(parameters).toEqual({
      ...{ level: 'warn', q: 'a "b c"', 'attr.user.id': 'a=b', traceId: 'F'.repeat(32) },
      ...{ from: '-15m', sample: '0.5', limit: '7' },
    })
  })

  test('goes on after the last record when the connection is lost, and tells what is missing', async () => {
    server.answer(
      (tail) => {
        tail.begin().record('1-0-0', log('one'))
        tail.record('1-0-1', log('two'))
        setTimeout(() => tail.drop(), 50)
      },
      (tail) => tail.problem(503, { detail: 'Too many watch' }, { 'retry-after': '1' }),
      (tail) => {
        const gap = { from: '1-0', to: '9-0', entries: 1200, reason: 'trimmed' }
        tail.begin().event('gap', gap).event('dropped', { count: 3 }).record('9-0-0', log('three'))
        tail.bye('shutdown')
      },
      (tail) => {
        tail.begin().heartbeat().record('9-0-1', log('four'))
        tail.bye('limit')
      },
    )
    const { code, stdout, stderr } = await run('logs', '-n', '5', '--limit', '4')
    expect([code, bodiesOf(stdout)]).toEqual([0, ['one', 'two', 'three', 'four']])
    expect(
      server.answers.map(({ request, parameters }) => [request.headers['last-event-id'], parameters.limit]),
    ).toEqual([
      [undefined, '4'],
      ['1-0-1', '2'],
      ['1-0-1', '2'],
      ['9-0-0', '1'],
    ])
    const source = server.url
    const again = 'connecting again in \\d.* m?s'
    const told = [
      `-- connected to ${source}`,
      `-- lost ${source}: .+; ${again}`,
      `-- lost ${source}: it answers 503: Too many watch; connecting again in 1\\.\\d+ s`,
      '-- resumed after the last record',
      '-- gap: 1,200 entries between 1-0 and 9-0 not looked at: they are gone from the stream',
      '-- dropped 3 records: this reader is too slow',
      '-- bye from the server: it is stopping',
      `-- lost ${source}: it ended the tail \\(shutdown\\); ${again}`,
      '-- resumed after the last record',
      '-- bye from the server: all records that were asked for have come',
    ]
    expect(stderr).toMatch(new RegExp(`^${told.join('\n')}\n$`))
  })

  test('ends with the history when it shall not follow, finding the service by its settings, in colors if it must', async () => {
    server.answer((tail) => {
      tail.begin().record('1-0-0', { ...log('past'), attributes: { a: '\u001b[2J' } })
      tail.heartbeat().record('1-0-1', log('later'))
    })
    const args = ['tail', 'logs', '--no-follow', '-q', '-o', 'pretty', '--utc', '--color', 'always']
    const env = { HTTP_HOST: '0.0.0.0', HTTP_PORT: String(server.port), NO_COLOR: '1' }
    const { code, stdout, stderr } = await runObservatory([...args, '-H', 'pas.'], { env, cwd })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.replaceAll('\u001b[', '<')).toMatch(
      /^<2m2020-01-01 12:00:00\.123Z<22m <31mERROR<39m <\d+mapi<39m {2}<7mpast<27m {2}<2ma="\\u001b\[2J"<22m\n$/,
    )
    expect(server.answers[0]?.parameters).toEqual({ history: '10' })
    // Whoever ends lets the server know.
    await eventually(() => expect(server.answers[0]?.response.destroyed).toBe(true))
  })

  test('a request that is refused is wrong usage, told with the flag, and not tried again', async () => {
    server.answer((tail) =>
      tail.problem(400, { parameter: 'minDuration', detail: 'minDuration must be like 250ms\u001b[2J' }),
    )
    const { code, stdout, stderr } = await run('spans', '--min-duration', 'long')
    expect([code, stdout, stderr]).toEqual([2, '', 'error: --min-duration must be like 250ms\\x1b[2J\n'])
    expect(server.answers).toHaveLength(1)
  })

  test('what is no service of this kind is told, and not tried again', async () => {
    server.answer((tail) => tail.response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>No'))
    const { code, stderr } = await run('metrics')
    expect([code, stderr]).toEqual([
      1,
      `error: ${server.url} has no live tail: it answers 404; is this an "observatory serve" of this version? --url says where one is\n`,
    ])
    expect(server.answers).toHaveLength(1)
  })

  test('a lost connection is a failure with --no-reconnect, and so is one that cannot be made', async () => {
    server.answer((tail) => {
      tail.begin().record('1-0-0', log('one'))
      tail.bye('shutdown')
    })
    const lost = await run('logs', '--no-reconnect')
    expect([lost.code, bodiesOf(lost.stdout)]).toEqual([1, ['one']])
    expect(lost.stderr).toMatch(
      /error: the tail of http:\S+ is lost: it ended the tail \(shutdown\); without --no-rec/,
    )

    const closed = await TailServer.start()
    const { url } = closed
    await closed.close()
    const args = ['tail', 'logs', '--no-reconnect', '--url', url]
    const { code, stdout, stderr } = await runObservatory(args, { cwd })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toBe(
      `error: ${url} gives no tail: connect ECONNREFUSED ${new URL(url).host}; is "observatory serve" running there? --url says where it is\n`,
    )
  })

  test('a service that is not there yet is waited for, and Ctrl-C is no failure, then and when it is live', async () => {
    server.answer(
      (tail) => tail.drop(),
      (tail) => tail.begin().heartbeat(),
    )
    const tail = start('logs')
    await tail.says(
      /^-- no tail from \S+ \(is "observatory serve" running there\?\): .*; connecting again in/,
    )
    await tail.says(`-- connected to ${server.url}`)
    tail.child.kill('SIGINT')
    expect(await tail.finished).toMatchObject({ code: 0, stdout: '' })

    server.answer((answer) => answer.problem(503, {}, { 'retry-after': '3000' }))
    const waiting = start('logs')
    await waiting.says(/connecting again in 5\dm|connecting again in 1h/)
    waiting.child.kill('SIGINT')
    expect(await waiting.finished).toMatchObject({ code: 0 })
  })

  test('whoever reads no more (head) ends it, quietly', async () => {
    server.answer(async (tail) => {
      tail.begin()
      for (let n = 0; !tail.response.destroyed; n += 1) {
        tail.record(`1-0-${n}`, log(`record ${n}`))
        await sleep(5)
      }
    })
    const command = '"$NODE" "$LAUNCHER" tail logs -q --url "$URL"; echo "code $?" >&2'
    const shell = spawn('sh', ['-c', `{ ${command}; } | head -n 2`], {
      cwd,
      env: { PATH: process.env.PATH, NODE: process.execPath, LAUNCHER, URL: server.url },
    })
    let told = ''
    shell.stderr.setEncoding('utf8').on('data', (text: string) => {
      told += text
    })
    await once(shell, 'close')
    expect(told).toBe('code 0\n')
  })

  test('a reader that is slow slows the server, and loses nothing; Ctrl-C ends that, too', async () => {
    const LARGE = 64 * 1024
    let sent = 0
    server.answer(async (tail) => {
      tail.begin()
      while (!tail.response.destroyed) {
        const mayGoOn = tail.record(`1-0-${sent}`, log(`${sent} ${'x'.repeat(LARGE)}`))
        sent += 1
        if (!mayGoOn) await once(tail.response, 'drain').catch(() => undefined)
        if (sent === 2000) return
      }
    })
    const tail = start('logs', '-q')
    tail.child.stdout?.pause()
    // Pipes and sockets hold some; then there is no more.
    const stuck = await eventually(async () => {
      const before = sent
      await sleep(500)
      expect(before).toBeGreaterThan(10)
      expect(sent).toBe(before)
      return before
    })
    expect(stuck).toBeLessThan(500)
    tail.child.stdout?.resume()
    await eventually(() => expect(sent).toBeGreaterThan(stuck + 300))
    tail.child.stdout?.pause()
    await sleep(300)
    tail.child.kill('SIGINT')
    tail.child.stdout?.resume()
    const { code, stdout } = await tail.finished
    expect(code).toBe(0)
    const numbers = bodiesOf(stdout).map((body) => Number(body.split(' ')[0]))
    expect(numbers).toEqual(numbers.map((_, index) => index))
    expect(numbers.length).toBeGreaterThan(300)
  })
})

test.each([
  [
    ['logs', '-n', '1001'],
    /'-n, --lines <number>' argument '1001' is invalid. Expected a whole number, 0 to/,
  ],
  [['logs', '--url', 'ftp://x'], /^error: --url: it must begin with http:/],
  [['spans', '--level', 'warn'], /unknown option '--level'[\s\S]*observatory tail spans --help/],
])('%j is wrong usage', async (args, told) => {
  const { code, stdout, stderr } = await runObservatory(['tail', ...args], { cwd })
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(told)
})

describe('a connection', () => {
  const { signal } = new AbortController()
  const url = () => new URL('/api/v1/logs/tail', server.url)

  test('is lost when nothing comes for too long, but not while its reader is busy', async () => {
    server.answer((tail) => tail.begin().heartbeat().heartbeat())
    const events: TailEvent[] = []
    const began = performance.now()
    const reading = async () => {
      for await (const event of httpTail({ url: url(), signal, stallMs: 300 })) {
        events.push(event)
        if (events.length === 1) await sleep(900)
      }
    }
    await expect(reading()).rejects.toThrow(new TailLost('nothing came from it for 0.3 s'))
    expect(events).toHaveLength(2)
    expect(performance.now() - began).toBeGreaterThan(1200)
    await eventually(() => expect(server.answers[0]?.response.destroyed).toBe(true))
  })

  test('is lost when the server does not answer at all', async () => {
    server.answer(() => undefined)
    const tail = httpTail({ url: url(), signal, stallMs: 200 })
    await expect(tail.next()).rejects.toThrow('nothing came from it for 0.2 s')
  })

  test('gives events whole however they are cut on their way', async () => {
    const bytes = Buffer.from(`id: 1-0-0\r\ndata: ${JSON.stringify(log('é😀\u2028'))}\r\n\r\n`)
    server.answer(async (tail) => {
      tail.begin()
      for (const byte of bytes) {
        tail.response.write(Buffer.of(byte))
        await sleep(1)
      }
    })
    const tail = httpTail({ url: url(), signal })
    expect(await tail.next()).toEqual({
      done: false,
      value: { kind: 'record', id: '1-0-0', json: Buffer.from(JSON.stringify(log('é😀\u2028'))) },
    })
    await tail.return(undefined)
  })

  test('ends at once with the reason of the signal', async () => {
    server.answer((tail) => tail.begin().heartbeat())
    const stop = new AbortController()
    const tail = httpTail({ url: url(), signal: stop.signal })
    await tail.next()
    const next = tail.next()
    stop.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
  })

  test('waits longer before each attempt that fails, at least as long as the server says', async () => {
    const waits: number[] = []
    const stop = new AbortController()
    server.answer(
      (tail) => {
        tail.begin(40).heartbeat()
        setTimeout(() => tail.drop(), 20)
      },
      (tail) => tail.drop(),
    )
    const options: ReconnectingTailOptions = {
      ...{ url: url(), reconnect: true, signal: stop.signal },
      notices: {
        connected: () => undefined,
        lost: (_, waitMs) => {
          waits.push(waitMs)
          if (waits.length === 5) stop.abort(new Error('enough'))
        },
      },
    }
    const reading = async () => {
      for await (const _ of reconnectingTail(options));
    }
    await expect(reading()).rejects.toThrow('enough')
    // Not below 100 ms, whatever the server says.
    for (const [attempt, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(100)
      expect(wait).toBeLessThanOrEqual(Math.max(150, 100 * 2 ** attempt))
    }
  })
})
