import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { findRedisBinary } from '../../src/embedded/redis-binary.ts'
import { type JoinedServers, joinServers } from '../../src/embedded/servers.ts'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/free-port.ts'
import { withPostgres } from '../helpers/postgres.ts'
import { LAUNCHER } from '../helpers/run-observatory.ts'
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from '../helpers/tls-certificates.ts'

const execute = promisify(execFile)
const file = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')

interface Service {
  readonly image?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly profiles?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck: { readonly test?: readonly string[]; readonly disable?: boolean }
}

const compose = file('docker-compose.yml')
const { services, volumes } = parse(compose, { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, null>>
}
const part = (name: string): Service => {
  const service = services[name]
  if (service === undefined) throw new Error(`docker-compose.yml has no ${name}`)
  return service
}
const PASSWORDS: Readonly<Record<string, string>> = { POSTGRES_PASSWORD: 'p4stgres', REDIS_PASSWORD: 'r3dis' }
const filled = (text: string) =>
  text.replaceAll(/\$\{(\w+):[?-]([^}]*)\}/g, (_, name: string, other: string) => PASSWORDS[name] ?? other)

/** Answers 200 to everything. */
async function listenByTls(): Promise<{ readonly port: string; readonly close: () => void }> {
  const tls = { cert: LOCALHOST_CERTIFICATE, key: LOCALHOST_KEY }
  const server = createServer(tls, (_, response) => response.end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { port: String((server.address() as AddressInfo).port), close }
}

describe('docker-compose.yml', () => {
  test('publishes every port on this machine alone', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? [])
    expect(ports.length).toBeGreaterThan(4)
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  })

  test('asks whatever runs on for its health, and starts by it', () => {
    for (const [name, { healthcheck }] of Object.entries(services)) {
      const isAsked = !['reader-role', 'demo'].includes(name)
      expect([name, healthcheck.test !== undefined]).toEqual([name, isAsked])
    }
    const conditions = Object.fromEntries(
      Object.entries(services).map(([name, { depends_on = {} }]) => [
        name,
        Object.entries(depends_on).map(([other, { condition }]) => `${other} ${condition}`),
      ]),
    )
    expect(conditions).toEqual({
      redis: [],
      postgres: [],
      observatory: ['redis service_healthy', 'postgres service_healthy'],
      'reader-role': ['observatory service_healthy'],
      prometheus: ['observatory service_healthy'],
      grafana: ['reader-role service_completed_successfully', 'prometheus service_healthy'],
      demo: ['observatory service_healthy'],
    })
    expect(part('demo').profiles).toEqual(['demo'])
  })

  test('keeps data in volumes, and has no password of its own', () => {
    for (const name of Object.keys(volumes)) {
      expect(part(name).volumes?.some((volume) => volume.startsWith(`${name}:/`))).toBe(true)
    }
    expect(part('postgres').volumes).toEqual(['postgres:/var/lib/postgresql'])
    const example = file('.env.example')
    const secrets = [...compose.matchAll(/\$\{(\w*PASSWORD)([^}]*)\}/g)]
    expect(secrets.length).toBeGreaterThan(4)
    for (const [, name, otherwise] of secrets) {
      expect(otherwise).toBe(':?set it in .env')
      expect(example).toMatch(new RegExp(`^${name}=$`, 'm'))
    }
  })

  test('scrapes the service by its name, with the rules of any other Prometheus', () => {
    const scraped = parse(file('grafana/prometheus/prometheus.compose.yml'))
    expect(scraped.scrape_configs[0].static_configs).toEqual([{ targets: ['observatory:4318'] }])
    expect(scraped.rule_files).toEqual(['rules.yml'])
    expect(part('prometheus').command).toContain('--config.file=/etc/prometheus/prometheus.compose.yml')
  })
})

describe('what the services run', () => {
  let folder: string
  let postgres: JoinedServers | undefined
  let redisPort: number
  const children: ChildProcess[] = []
  const settings = Object.fromEntries(
    (part('postgres').command ?? [])
      .filter((word) => word.includes('='))
      .map((word) => word.split('=') as [string, string]),
  )

  function run(command: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    const [program = '', ...args] = command
    const child = spawn(program, args, {
      cwd: folder,
      stdio: 'ignore',
      env: { PATH: process.env.PATH, ...env },
    })
    children.push(child)
    return child
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'observatory-compose-'))
    redisPort = await freePort()
    postgres = await joinServers({
      dataDir: join(folder, 'postgres'),
      postgres: true,
      redis: false,
      postgresPort: await freePort(),
      postgresSettings: settings,
    })
  }, 60_000)

  afterAll(async () => {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await postgres?.leave()
    await rm(folder, { recursive: true, force: true })
  })

  test('works: Redis and PostgreSQL with these settings, the service with this environment, and the demo', async () => {
    const { command: redisCommand = [], environment: redisEnv = {} } = part('redis')
    const [, ...redisArgs] = redisCommand.map((word) => (word === '/data' ? folder : filled(word)))
    run([await findRedisBinary(), ...redisArgs, '--port', String(redisPort), '--bind', '127.0.0.1'], {})
    const asked = filled(part('redis').healthcheck.test?.[1] ?? '').replace(
      'redis-cli',
      `redis-cli -p ${redisPort}`,
    )
    const auth = { PATH: process.env.PATH, REDISCLI_AUTH: filled(redisEnv.REDISCLI_AUTH ?? '') }
    await eventually(() => execute('sh', ['-c', asked], { env: auth }))
    const kept = await execute('redis-cli', ['-p', String(redisPort), 'config', 'get', '*a*'], { env: auth })
    for (const setting of ['appendonly\nyes', 'appendfsync\neverysec', 'maxmemory-policy\nnoeviction'])
      expect(kept.stdout).toContain(`${setting}\n`)

    const databaseUrl = postgres?.databaseUrl ?? ''
    const { environment = {}, healthcheck } = part('observatory')
    const httpPort = String(await freePort())
    const redisUrl = filled(environment.REDIS_URL ?? '').replace('redis:6379', `127.0.0.1:${redisPort}`)
    const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filled(value)]))
    const serviceEnv = { ...env, DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, HTTP_PORT: httpPort }
    run([process.execPath, LAUNCHER, 'serve'], serviceEnv)
    const [, , , script = ''] = healthcheck.test ?? []
    // Compose makes one $ of two.
    const health = script.replace(':4318/', `:${httpPort}/`).replaceAll('$$', '$')
    await eventually(() => execute(process.execPath, ['-e', health], { env: {} }), { timeoutMs: 20_000 })
    // The image's own, as an image that runs alone is asked.
    const [, quoted = ''] = /^ {2}CMD (\[.*\])$/m.exec(file('Dockerfile')) ?? []
    const [, , imageScript = ''] = JSON.parse(quoted) as string[]
    await execute(process.execPath, ['-e', imageScript], { env: { HTTP_PORT: httpPort } })
    await expect(
      execute(process.execPath, ['-e', imageScript], { env: { HTTP_PORT: '1' } }),
    ).rejects.toThrow()
    // With a certificate, whatever it is for.
    const secure = await listenByTls()
    const tlsEnv = { HTTP_TLS_CERT_FILE: 'cert.pem' }
    const secureHealth = health.replace(`:${httpPort}/`, `:${secure.port}/`)
    await execute(process.execPath, ['-e', secureHealth], { env: tlsEnv })
    await execute(process.execPath, ['-e', imageScript], { env: { ...tlsEnv, HTTP_PORT: secure.port } })
    secure.close()

    const [, , ...demo] = part('demo').command ?? []
    run([process.execPath, LAUNCHER, ...demo], { REDIS_URL: redisUrl })
    await withPostgres(databaseUrl, async (client) => {
      for (const [name, value] of Object.entries(settings)) {
        const { rows } = await client.query('select current_setting($1) as value', [name])
        expect([name, rows[0].value]).toEqual([name, value])
      }
      await eventually(async () => {
        const { rows } = await client.query('select count(*)::int as spans from spans')
        expect(rows[0].spans).toBeGreaterThan(0)
      })
    })
  }, 60_000)
})
