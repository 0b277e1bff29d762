import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../helpers/eventually.ts'
import { RunningCommand } from '../helpers/run-observatory.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let app: TestService
let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'observatory-tail-'))
  app = await startTestService()
  for (const n of [0, 1, 2]) await add(n)
})
afterAll(async () => {
  await app?.close()
  await rm(cwd, { recursive: true, force: true })
})

const add = (n: number, level = 'error') =>
  app.redis.xadd(`${app.prefix}:logs`, '*', 'service', 'api', 'level', level, 'body', `message ${n}`)
const bodies = ({ stdout }: { readonly stdout: string }) =>
  stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).body as string]))

describe('observatory tail', () => {
  test.each([
    ['of a service', () => ['--url', app.service.url]],
    ['of Redis itself', () => ['--redis', '--redis-url', redisUrl(), '--stream-prefix', app.prefix]],
  ])('%s shows the last records and then those that come, until Ctrl-C', async (_, source) => {
    const first = await newest()
    const tail = new RunningCommand(['tail', 'logs', '-n', '2', '--level', 'error', ...source()], { cwd })
    try {
      await eventually(() => expect(bodies(tail)).toHaveLength(2), { timeoutMs: 20_000 })
      await add(first + 1, 'info')
      await add(first + 2)
      await eventually(() => expect(bodies(tail)).toHaveLength(3))
      expect(bodies(tail).at(-1)).toBe(`message ${first + 2}`)
      tail.child.kill('SIGINT')
      expect((await tail.finished).code).toBe(0)
    } finally {
      await tail.kill()
    }
  })

  test('of Redis itself ends after the past ones with --no-follow, and fails where there is no Redis', async () => {
    const args = ['--redis', '--stream-prefix', app.prefix, '--no-follow', '-n', '1']
    const shown = await new RunningCommand(['tail', 'logs', ...args, '--redis-url', redisUrl()], { cwd })
      .finished
    expect([shown.code, bodies(shown).length]).toEqual([0, 1])
    const failed = await new RunningCommand(['tail', 'logs', ...args, '--redis-url', 'redis://127.0.0.1:1'], {
      cwd,
    }).finished
    expect([failed.code, failed.stdout]).toEqual([1, ''])
    expect(failed.stderr).toMatch(/127\.0\.0\.1:1/)
  })
})

async function newest(): Promise<number> {
  const [[, fields] = []] = await app.redis.xrevrange(`${app.prefix}:logs`, '+', '-', 'COUNT', 1)
  return Number(fields?.at(-1)?.replace('message ', ''))
}

function redisUrl(): string {
  const { host, port, username, password, db = 0 } = app.redis.options
  const user = password ? `${username ?? ''}:${password}@` : ''
  return `redis://${user}${host}:${port}/${db}`
}
