import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createLogger } from '../../src/logger.ts'
import { maskSecrets } from '../../src/mask-secrets.ts'

function linesOf(pretty: boolean, log: (logger: ReturnType<typeof createLogger>) => void): readonly string[] {
  const lines: string[] = []
  log(createLogger({ level: 'debug', pretty, write: (line) => lines.push(line) }))
  return lines
}

test('a line is JSON with its level as a word and its time in UTC', () => {
  const [line = ''] = linesOf(false, (log) =>
    log.child({ signal: 'traces' }).info({ rows: 3 }, 'batch written'),
  )
  expect(line.endsWith('}\n')).toBe(true)
  expect(JSON.parse(line)).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    signal: 'traces',
    rows: 3,
    msg: 'batch written',
  })
})

test('what is below the level is not written', () => {
  expect(linesOf(false, (log) => log.trace('x'))).toEqual([])
})

test('of an error its name, message, code, stack and causes are logged, and nothing else it carries', () => {
  const cause = Object.assign(new Error('NOAUTH'), { command: { name: 'auth', args: ['hunter2'] } })
  const error = Object.assign(new Error('lost', { cause }), {
    code: 'ECONNRESET',
    detail: 'row of a customer',
  })
  const [line = ''] = linesOf(false, (log) => log.error({ err: error }, 'failed'))
  expect(JSON.parse(line).err).toEqual({
    name: 'Error',
    message: 'lost',
    code: 'ECONNRESET',
    stack: expect.stringContaining('lost'),
    cause: { name: 'Error', message: 'NOAUTH', stack: expect.any(String) },
  })
})

test('an error that is its own cause does not hang the log', () => {
  const error = new Error('round')
  error.cause = error
  expect(linesOf(false, (log) => log.error({ err: error }, 'failed'))).toHaveLength(1)
})

test.each([true, false])('no secret gets into a line, wherever it hides (pretty: %s)', (pretty) => {
  const url = 'postgresql://user:hunter2@db:5432/o'
  const lines = linesOf(pretty, (log) => {
    log.info(
      { nested: { list: [url] }, err: new Error(`no answer from ${url}`, { cause: new Error(url) }) },
      url,
    )
    log.warn('redis://:hunter2@cache and rediss://cache?password=hunter2&db=1')
  })
  expect(lines).toHaveLength(2)
  expect(lines.join()).not.toContain('hunter2')
  expect(lines.join()).toContain('postgresql://user:***@db:5432/o')
})

test('a line for a person is one line, with no control character but its end', () => {
  const hostile = 'body\u001b[2J\r\nfake line\u009b'
  const error = Object.assign(new Error(hostile), { code: 'EPIPE' })
  const [line = ''] = linesOf(true, (log) => log.warn({ rows: 3, hostile, err: error }, hostile))
  expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}body \[2J {2}fake line {2}rows=3 /)
  expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u)
  expect(line).toContain('(EPIPE)')
})

test.each([
  ['postgresql://user:pass@host/db', 'postgresql://user:***@host/db'],
  ['postgresql://user:p@ss:w@host/db', 'postgresql://user:***@host/db'],
  ['redis://:pass@host', 'redis://:***@host'],
  ['postgresql://user@host/db', 'postgresql://user@host/db'],
  ['http://host:4318/v1/traces', 'http://host:4318/v1/traces'],
  [
    'postgresql://h/db?user=u&password=pass&sslmode=require',
    'postgresql://h/db?user=u&password=***&sslmode=require',
  ],
  ['http://h/x,postgresql://u:pass@h', 'http://h/x,postgresql://u:***@h'],
  ['see "redis://u:a@h", then "redis://u:b@h"', 'see "redis://u:***@h", then "redis://u:***@h"'],
])('%s is shown as %s', (text, masked) => expect(maskSecrets(text)).toBe(masked))

test('masking a long hostile text takes no time', () => {
  const startedAt = performance.now()
  for (const text of [
    'a://:'.repeat(20_000),
    `${'a'.repeat(100_000)}@`,
    'a'.repeat(100_000),
    `a://${':'.repeat(100_000)}@`,
    `${'a://'.repeat(50_000)}@`,
    '?a'.repeat(50_000),
  ]) {
    maskSecrets(text)
  }
  expect(performance.now() - startedAt).toBeLessThan(1000)
})

test('lines that were logged before the end of the process are written, however slowly they are read', async () => {
  const count = 3000
  const program = `import { createLogger } from ${JSON.stringify(new URL('../../src/logger.ts', import.meta.url))}
    const logger = createLogger({ level: 'info', pretty: false })
    for (let n = 1; n <= ${count}; n += 1) logger.info({ n }, 'some words that fill what a pipe holds')
    process.exit(3)`
  const loader = fileURLToPath(new URL('../helpers/typescript-loader.mjs', import.meta.url))
  const child = spawn(process.execPath, ['--import', loader, '--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(child, 'exit')
  await once(child.stderr, 'readable')
  await new Promise((resolve) => setTimeout(resolve, 200))
  const lines = (await text(child.stderr)).trimEnd().split('\n')
  expect(await exited).toEqual([3, null])
  expect(lines.length).toBe(count)
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ n: count })
}, 30_000)
