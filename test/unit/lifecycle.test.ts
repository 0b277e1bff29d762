import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  backoffMs,
  createReleasers,
  runUntilSignal,
  type StopRequested,
  sleep,
  untilAborted,
  withReleasers,
} from '../../src/lifecycle.ts'

afterEach(() => vi.restoreAllMocks())

describe('releasing what was opened', () => {
  test('the last thing opened is given back first, each only after the one before it', async () => {
    const events: string[] = []
    await withReleasers(async ({ defer }) => {
      defer('pool', () => events.push('pool'))
      defer('server', async () => {
        events.push('server…')
        await sleep(10)
        events.push('server')
      })
      events.push('use')
    })
    expect(events).toEqual(['use', 'server…', 'server', 'pool'])
  })

  test('it gives back the result of what it ran', async () => {
    expect(await withReleasers(async () => 42)).toBe(42)
  })

  test('every release runs though others fail, and the first error is the one thrown', async () => {
    const released: string[] = []
    const fail = (name: string) => () => {
      released.push(name)
      throw new Error(name)
    }
    const run = withReleasers(async ({ defer }) => {
      defer('a', fail('a'))
      defer('b', () => released.push('b'))
      defer('c', async () => fail('c')())
    })
    await expect(run).rejects.toThrow('c')
    expect(released).toEqual(['c', 'b', 'a'])
  })

  test('an error of the work itself is kept, whatever the releases after it do', async () => {
    const released: string[] = []
    const run = withReleasers(async ({ defer }) => {
      defer('a', () => {
        released.push('a')
        throw new Error('release')
      })
      throw new Error('work')
    })
    await expect(run).rejects.toThrow('work')
    expect(released).toEqual(['a'])
  })

  test('releasing twice releases once and waits for the same end', async () => {
    const releasers = createReleasers()
    let times = 0
    releasers.defer('a', async () => {
      await sleep(5)
      times += 1
    })
    const first = releasers.release()
    await Promise.all([first, releasers.release()])
    await releasers.release()
    expect(times).toBe(1)
  })

  test('what is still open is named until its release is done', async () => {
    const releasers = createReleasers()
    let open: readonly string[] = []
    releasers.defer('pool', () => undefined)
    releasers.defer('server', () => {
      open = releasers.stillOpen()
    })
    await releasers.release()
    expect(open).toEqual(['server', 'pool'])
    expect(releasers.stillOpen()).toEqual([])
  })

  test.each(['during', 'after'])('what is opened %s the release is given back at once', async (when) => {
    const releasers = createReleasers()
    const released: string[] = []
    const late = () => releasers.defer('late', () => released.push('late'))
    releasers.defer('first', async () => {
      if (when === 'during') late()
      released.push('first')
    })
    await releasers.release()
    if (when === 'after') late()
    await releasers.release()
    expect(released).toEqual(['first', 'late'])
    expect(releasers.stillOpen()).toEqual([])
  })
})

describe('waiting', () => {
  test('a wait that is aborted ends at once, with the reason', async () => {
    const stopping = new AbortController()
    const startedAt = performance.now()
    const wait = sleep(60_000, stopping.signal)
    stopping.abort(new Error('stop'))
    await expect(wait).rejects.toThrow('stop')
    await expect(sleep(60_000, stopping.signal)).rejects.toThrow('stop')
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })

  test('a wait that nobody aborts lasts as long as it should', async () => {
    const startedAt = performance.now()
    await sleep(30, new AbortController().signal)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(29)
  })

  test('untilAborted resolves on the abort, and at once after it', async () => {
    const stopping = new AbortController()
    const stopped = untilAborted(stopping.signal)
    stopping.abort()
    await stopped
    await untilAborted(stopping.signal)
  })

  test('pauses between retries are random below a ceiling that doubles up to ten seconds', () => {
    const ceilings = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
    vi.spyOn(Math, 'random').mockReturnValue(0.999_999)
    expect(ceilings.map((_, attempt) => backoffMs(attempt))).toEqual(ceilings.map((ceiling) => ceiling - 1))
    expect(backoffMs(100_000)).toBe(9999)
    vi.spyOn(Math, 'random').mockReturnValue(0)
    expect(backoffMs(5)).toBe(0)
  })
})

describe('a program without a signal', () => {
  const options = { shutdownTimeoutMs: 1000, writeLine: () => undefined }

  test('ends when its work ends, with everything given back and no handler left', async () => {
    const handlers = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT')
    const before = handlers()
    let during = 0
    const released: string[] = []
    await runUntilSignal(async ({ releasers }) => {
      releasers.defer('a', () => released.push('a'))
      during = handlers()
    }, options)
    expect([during - before, handlers() - before, released]).toEqual([2, 0, ['a']])
  })

  test('gives everything back when its work fails, and throws that error', async () => {
    const released: string[] = []
    const run = runUntilSignal(async ({ releasers }) => {
      releasers.defer('a', () => released.push('a'))
      throw new Error('work')
    }, options)
    await expect(run).rejects.toThrow('work')
    expect(released).toEqual(['a'])
  })
})

/** A program of its own, to be sent real signals: `src/lifecycle.ts` as JavaScript, and a script beside it. */
describe('a program that is sent signals', () => {
  let folder: string
  let child: ChildProcess
  let output = ''

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lifecycle-'))
    const source = readFileSync(new URL('../../src/lifecycle.ts', import.meta.url), 'utf8')
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    })
    writeFileSync(join(folder, 'lifecycle.mjs'), outputText)
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  afterEach(() => child.kill('SIGKILL'))

  /** Starts a program that says `ready` once its handlers stand; resolves then. */
  async function start(body: string, shutdownTimeoutMs = 10_000): Promise<void> {
    const script = `
      import { runUntilSignal, sleep, untilAborted } from './lifecycle.mjs'
      import { writeSync } from 'node:fs'
      const say = (line) => writeSync(1, line + '\\n')
      await runUntilSignal(async ({ stopping, releasers }) => { setTimeout(say, 0, 'ready'); ${body} },
        { shutdownTimeoutMs: ${shutdownTimeoutMs}, writeLine: say })
        .then(() => say('end'), (error) => say('failed: ' + error.message))`
    writeFileSync(join(folder, 'program.mjs'), script)
    child = spawn(process.execPath, [join(folder, 'program.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] })
    output = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    await said('ready')
  }

  async function said(word: string): Promise<void> {
    await vi.waitFor(() => expect(output).toContain(word), { timeout: 10_000, interval: 10 })
  }

  async function exitCode(): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    return child.exitCode
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s stops it gracefully, with exit code 0',
    async (signalName) => {
      await start(`
      releasers.defer('pool', () => say('released'))
      await untilAborted(stopping)
      say('draining, ' + stopping.reason.message)
      await sleep(50)`)
      child.kill(signalName)
      expect(await exitCode()).toBe(0)
      expect(output).toBe(`ready\ndraining, stopped by ${signalName}\nreleased\nend\n`)
    },
  )

  test('a wait that the stop cut short is an orderly end, not a failure', async () => {
    await start(`releasers.defer('pool', () => say('released')); await sleep(60000, stopping)`)
    child.kill('SIGTERM')
    expect(await exitCode()).toBe(0)
    expect(output).toBe('ready\nreleased\nend\n')
  })

  test('an error while stopping is still an error', async () => {
    await start(`await untilAborted(stopping); throw new Error('drain')`)
    child.kill('SIGTERM')
    await exitCode()
    expect(output).toBe('ready\nfailed: drain\n')
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('a second signal (%s) ends it at once, with exit code %d', async (signalName, code) => {
    await start(`await untilAborted(stopping); say('draining'); await sleep(60000)`)
    child.kill('SIGTERM')
    await said('draining')
    // Earlier, it would count as the first one.
    await sleep(120)
    child.kill(signalName)
    expect(await exitCode()).toBe(code)
    expect(output).not.toContain('end')
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'a %s right after the first one is the same',
    async (signalName) => {
      await start(`
      await untilAborted(stopping)
      process.kill(process.pid, '${signalName}')
      await sleep(50)
      say('drained')`)
      child.kill('SIGINT')
      expect(await exitCode()).toBe(0)
      expect(output).toBe('ready\ndrained\nend\n')
    },
  )

  test('past the deadline it exits with 1 and says what was still open', async () => {
    await start(
      `releasers.defer('pool', () => say('pool'))
       releasers.defer('http server', () => sleep(60000))
       await untilAborted(stopping)`,
      100,
    )
    child.kill('SIGTERM')
    expect(await exitCode()).toBe(1)
    expect(output).toBe('ready\nnot stopped after 100 ms, still open: http server, pool; exiting\n')
  })
})

test('the reason of a stop says which signal it was', async () => {
  const reason: unknown[] = []
  await runUntilSignal(
    async ({ stopping }) => {
      process.emit('SIGTERM', 'SIGTERM')
      reason.push(stopping.reason as StopRequested)
    },
    { shutdownTimeoutMs: 60_000, writeLine: () => undefined },
  )
  expect(reason).toEqual([expect.objectContaining({ name: 'StopRequested', message: 'stopped by SIGTERM' })])
})
