import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { joinServers } from '../../src/embedded/servers.ts'
import { readServersFile, type ServersFile } from '../../src/embedded/servers-file.ts'
import { commandLineOf, isRunning } from '../../src/process-identity.ts'
import { eventually } from '../helpers/eventually.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { RunningCommand, runObservatory } from '../helpers/run-observatory.ts'
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from '../helpers/tls-certificates.ts'

const postgresBin = process.env.OBSERVATORY_TEST_POSTGRES_BIN
/** Nothing of it may be asked of the machine's own configuration. */
const env = { HTTP_PORT: '0', ...(postgresBin && { EMBEDDED_POSTGRES_BIN: postgresBin }) }

let cwd: string
let dataDir: string
let running: RunningCommand | undefined
let servers: Pick<ServersFile, 'postgres' | 'redis'>

beforeAll(async () => {
  cwd = await realpath(await mkdtemp(join(tmpdir(), 'observatory-quickstart-')))
  dataDir = join(cwd, '.observatory')
})

afterEach(async () => {
  await running?.kill()
  running = undefined
})

afterAll(async () => {
  // Only what a failed test has left is still there to be stopped.
  if (existsSync(dataDir)) await (await joinServers({ dataDir, postgres: false, redis: false })).leave()
  await rm(cwd, { recursive: true, force: true })
})

/** Starts quickstart as a shell would: in a process group of its own, which Ctrl-C goes to. */
async function quickstart(args: readonly string[] = [], added = {}): Promise<RunningCommand> {
  running = new RunningCommand(['quickstart', ...args], { env: { ...env, ...added }, cwd, detached: true })
  await running.says('Ctrl-C stops everything.')
  const { postgres, redis } = await readServersFile(join(dataDir, 'servers.json'))
  servers = { postgres, redis }
  return running
}

function ctrlC(command: RunningCommand): void {
  if (command.child.exitCode === null) process.kill(-command.child.pid!, 'SIGINT')
}

/** What runs of what quickstart started: the servers, and on Linux whatever else names their folder. */
function leftRunning(): string[] {
  const left = Object.entries(servers).filter(([, server]) => server !== undefined && isRunning(server))
  return [...left.map(([name]) => name), ...commandLines().filter((line) => line.includes(dataDir))]
}

function commandLines(): string[] {
  if (process.platform !== 'linux') return []
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map((pid) => commandLineOf(Number(pid)))
}

const execute = promisify(execFile)

async function shell(script: string): Promise<string> {
  const { stdout } = await execute('sh', ['-c', script], { cwd: '/', env: { PATH: process.env.PATH } })
  return stdout
}

/** What the command prints. A machine without its program shows at least that the command leads to the right place. */
async function paste(command: string): Promise<string> {
  const words = (await shell(`set -- ${command}; printf '%s\\n' "$@"`)).trimEnd().split('\n')
  const last = words.at(-1)!
  if (words.includes('curl')) return (await hasProgram('curl')) ? shell(command) : (await fetch(last)).text()
  if (words.includes('redis-cli')) {
    if (await hasProgram('redis-cli')) return shell(command)
    const redis = new Redis(Number(words[2]))
    return String(await redis.call(...(words.slice(3) as [string])).finally(() => redis.disconnect())).concat(
      '\n',
    )
  }
  if (await hasProgram('psql')) return shell(command)
  const [, password] = /:observatory:(.*)/.exec(await readFile(words[0]!.split('=')[1]!, 'utf8'))!
  const url = `postgresql://observatory:${password}@127.0.0.1:${words[5]}/observatory`
  const { rows, fields } = await withPostgres(url, (client) => client.query({ text: last, rowMode: 'array' }))
  return [fields.map(({ name }) => name), ...rows].map((row) => row.map(textOf).join(' | ')).join('\n')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value).replaceAll(':', ': ')
}

function hasProgram(name: string): Promise<boolean> {
  return shell(`command -v ${name}`).then(
    () => true,
    () => false,
  )
}

test('shows rows within seconds, every command it prints works, and Ctrl-C leaves nothing but the data', async () => {
  const command = await quickstart(['--rate', '20'])
  expect(command.stderr).toMatch(/First rows committed, \d+\.\d s after the start/)
  expect(command.stderr).toContain('a crash of this machine loses what came after')
  expect(command.stderr).not.toContain('WARN')
  expect(leftRunning()).toEqual(expect.arrayContaining(['postgres', 'redis']))

  const commands = command.stderr
    .split('\n')
    .filter((line) => /^ {2}(curl|redis-cli|psql|PGPASSFILE)/.test(line))
  const [spans, errors, metrics, prometheus, ready, sessions, evaluations, usage, add, added, ...others] =
    commands
  expect(others).toEqual([])
  const records = async (curl: string) => JSON.parse(await paste(curl)).data
  await eventually(async () => expect((await records(spans!))[0]).toHaveProperty('traceId'))
  await eventually(async () => expect((await records(metrics!))[0]).toHaveProperty('unit'))
  await eventually(async () => expect((await records(sessions!))[0].turnCount).toBeGreaterThan(0))
  expect(await records(evaluations!)).toBeInstanceOf(Array)
  expect(await paste(prometheus!)).toMatch(/^observatory_records_written_total\{signal="traces"\} [1-9]/m)
  expect(JSON.parse(await paste(ready!))).toMatchObject({ ready: true })
  await eventually(async () =>
    expect(await paste(usage!)).toMatch(/model.*dollars[\s\S]*\|\s+[1-9]\d* \|\s+\d+\.\d+\s/),
  )
  expect(await paste(add!)).toMatch(/^\d+-\d+\n$/)
  await eventually(async () => expect(await paste(added!)).toMatch(/api.*error.*boom.*"user.id": "42"/))

  // By now there is one: the record above.
  await eventually(async () => expect((await records(errors!))[0]).toMatchObject({ severityNumber: 17 }))

  const status = await runObservatory(['status', '--json'], { cwd })
  expect(JSON.parse(status.stdout).streams[0]).toMatchObject({ signal: 'traces', consumers: 1 })
  expect(await runObservatory(['doctor'], { cwd })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/, 0 failed\n$/),
  })

  ctrlC(command)
  const { code, stdout, stderr } = await command.finished
  expect([code, stdout]).toEqual([0, ''])
  expect(stderr).toContain(`Stopped. The data stays in ${dataDir}`)
  expect(leftRunning()).toEqual([])
  expect(readdirSync(dataDir).sort()).toEqual(['pgpass', 'postgres', 'postgres.log', 'redis', 'redis.log'])
})

test('a second Ctrl-C ends it at once, the servers soon after, and the data is there at the next start', async () => {
  const command = await quickstart()
  ctrlC(command)
  await command.says('Stopping')
  const interruptedAt = Date.now()
  // Again and again, as people do.
  const again = setInterval(() => ctrlC(command), 20)
  const { code: interruptedCode } = await command.finished.finally(() => clearInterval(again))
  expect(interruptedCode).toBe(130)
  expect(Date.now() - interruptedAt).toBeLessThan(1000)
  await eventually(() => expect(leftRunning()).toEqual([]), { timeoutMs: 20_000 })

  const next = await quickstart(['--for', '1'])
  const { code, stderr } = await next.finished
  expect(code).toBe(0)
  expect(stderr).not.toContain('applied 0001')
  expect(leftRunning()).toEqual([])
}, 120_000)

test('with tokens and a certificate it tells rows all the same, and every command it prints gets in', async () => {
  const files = { HTTP_TLS_CERT_FILE: join(cwd, 'cert.pem'), HTTP_TLS_KEY_FILE: join(cwd, 'key.pem') }
  await writeFile(files.HTTP_TLS_CERT_FILE, LOCALHOST_CERTIFICATE)
  await writeFile(files.HTTP_TLS_KEY_FILE, LOCALHOST_KEY)
  const token = 'read-0123456789abcdef'
  const command = await quickstart([], { ...files, ACCESS_TOKENS: `read:${token}` })
  expect(command.stderr).not.toContain(token)
  if (!(await hasProgram('curl'))) return
  const curls = command.stderr.split('\n').filter((line) => line.startsWith('  curl '))
  expect(curls).toHaveLength(7)
  const statuses = curls.map((curl) => shell(`ACCESS_TOKEN=${token}; ${curl} -o /dev/null -w '%{http_code}'`))
  expect(new Set(await Promise.all(statuses))).toEqual(new Set(['200']))
})

test('with servers of its own only where none are given, and a taken port is told before anything starts', async () => {
  const taken = await quickstart()
  const { port } = new URL(/curl -s (http:\S+)\/metrics/.exec(taken.stderr)![1]!)
  const other = await runObservatory(['quickstart', '--http-port', port, '--data-dir', 'other'], { cwd, env })
  expect(other.code).toBe(1)
  expect(other.stderr).toMatch(
    /^error: 127\.0\.0\.1:\d+ is in use by another program: stop it, or set HTTP_PORT.*\n$/,
  )
  expect(existsSync(join(cwd, 'other'))).toBe(false)
  ctrlC(taken)
  expect((await taken.finished).code).toBe(0)
})
