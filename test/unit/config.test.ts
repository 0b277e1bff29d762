import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { formatSettings, loadSettings } from '../../src/config.ts'
import { ObservatoryError } from '../../src/errors.ts'
import { settingOptions, settingsTable } from '../../src/setting-options.ts'
import { SETTINGS, type Settings, settingName } from '../../src/settings.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

function write(name: string, content: string): string {
  const path = join(cwd, name)
  writeFileSync(path, content)
  return path
}

/** The lines of the one error, without the heading. */
function problemsOf(input: Parameters<typeof loadSettings>[0]): string[] {
  try {
    loadSettings({ env: {}, cwd, ...input })
  } catch (error) {
    expect(error).toBeInstanceOf(ObservatoryError)
    expect((error as ObservatoryError).code).toBe('ERR_CONFIG_INVALID')
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  return []
}

describe('where settings come from', () => {
  test('a flag wins over the environment, the environment over the file, the file over the default', () => {
    const path = write('observatory.yaml', 'http_port: 1\nread_count: 1\nbatch_max_rows: 1\n')
    const { settings, sources } = loadSettings({
      flags: { httpPort: '3' },
      env: { HTTP_PORT: '2', READ_COUNT: '2' },
      cwd,
    })
    expect([settings.httpPort, settings.readCount, settings.batchMaxRows, settings.httpHost]).toEqual([
      3,
      2,
      1,
      '127.0.0.1',
    ])
    expect(sources).toMatchObject({
      HTTP_PORT: 'flag',
      READ_COUNT: 'environment',
      BATCH_MAX_ROWS: `file ${path}`,
      HTTP_HOST: 'default',
    })
  })

  test('a problem in a value that is overridden is no problem', () => {
    expect(loadSettings({ flags: { httpPort: '3' }, env: { HTTP_PORT: 'x' }, cwd }).settings.httpPort).toBe(3)
  })

  test('an empty variable counts as not set', () => {
    expect(loadSettings({ env: { HTTP_PORT: '' }, cwd }).sources.HTTP_PORT).toBe('default')
  })

  test.each(['observatory.yaml', 'observatory.yml'])('%s is found in the working directory', (name) => {
    write(name, 'HTTP_PORT: 5000\nlog_level: debug\nbatch_max_bytes: 2MiB\n')
    const { settings } = loadSettings({ env: {}, cwd })
    expect(settings).toMatchObject({ httpPort: 5000, logLevel: 'debug', batchMaxBytes: 2 * 1024 * 1024 })
  })

  test('a TOML file says the same things', () => {
    write('observatory.toml', 'http_port = 5000\nLOG_LEVEL = "debug"\nbatch_max_bytes = "2MiB"\n')
    const { settings } = loadSettings({ env: {}, cwd })
    expect(settings).toMatchObject({ httpPort: 5000, logLevel: 'debug', batchMaxBytes: 2 * 1024 * 1024 })
  })

  test('--config goes before OBSERVATORY_CONFIG, and both before the file in the working directory', () => {
    write('observatory.yaml', 'http_port: 1')
    const asked = write('asked.toml', 'http_port = 2')
    const flagged = write('flagged.yaml', 'http_port: 3')
    const env = { OBSERVATORY_CONFIG: asked }
    expect(loadSettings({ env, cwd }).settings.httpPort).toBe(2)
    expect(loadSettings({ flags: { config: 'flagged.yaml' }, env, cwd }).sources.HTTP_PORT).toBe(
      `file ${flagged}`,
    )
  })

  test('a secret is read from the file that …_FILE names', () => {
    const path = write('secret', 'postgresql://u:p@db/o\n')
    const fromEnvironment = loadSettings({ env: { DATABASE_URL_FILE: path }, cwd })
    expect(fromEnvironment.settings.databaseUrl).toBe('postgresql://u:p@db/o')
    expect(fromEnvironment.sources.DATABASE_URL).toBe(`environment, DATABASE_URL_FILE ${path}`)
    write('observatory.yaml', `redis_url_file: ${write('redis', 'redis://cache')}`)
    expect(loadSettings({ env: {}, cwd }).settings.redisUrl).toBe('redis://cache')
  })

  test('nobody can change settings once they are loaded', () => {
    const loaded = loadSettings({ env: {}, cwd })
    expect(() => Object.assign(loaded.settings, { httpPort: 1 })).toThrow(TypeError)
    expect(() => Object.assign(loaded.sources, { HTTP_PORT: 'x' })).toThrow(TypeError)
  })
})

describe('what is wrong with them', () => {
  test('every problem is listed at once, with its name, where it came from and what would be right', () => {
    const path = write('observatory.yaml', 'htp_port: 1\nread_count: 0\nwrite_concurrency: [2]\n')
    const env = {
      HTTP_PORT: '70000',
      LOG_LEVEL: 'loud',
      BATCH_MAX_BYTES: '4 parsecs',
      DATABASE_URL: 'mysql://x',
    }
    expect(problemsOf({ env, flags: { readBlockMs: '0' } }).sort()).toEqual([
      'BATCH_MAX_BYTES (environment): "4 parsecs" is not a number; expected 4096 to 268435456 bytes, as 65536, 64KiB or 4MB',
      'DATABASE_URL (environment): does not start with postgresql://; expected postgresql://user:password@host:5432/database',
      'HTTP_PORT (environment): "70000" is too large; expected a whole number from 0 to 65535',
      'LOG_LEVEL (environment): "loud" is not one of its values; expected trace, debug, info, warn, error, fatal',
      'READ_BLOCK_MS (flag): "0" is too small; expected a whole number from 1 to 10000',
      `READ_COUNT (file ${path}): 0 is too small; expected a whole number from 1 to 100000`,
      `WRITE_CONCURRENCY (file ${path}): [2] is not a number; expected a whole number from 1 to 16`,
      `htp_port (file ${path}): is not a setting; did you mean HTTP_PORT?`,
    ])
  })

  test('settings that contradict each other are named together', () => {
    const env = { BATCH_MAX_BYTES: '64KiB', IN_FLIGHT_MAX_BYTES: '100KiB', RECORD_MAX_BYTES: '1MiB' }
    expect(problemsOf({ env })).toEqual([
      'IN_FLIGHT_MAX_BYTES: 102400 is less than two batches; expected at least 131072 (2 × BATCH_MAX_BYTES)',
      'RECORD_MAX_BYTES: 1048576 does not fit into a batch; expected at most 65536 (BATCH_MAX_BYTES)',
    ])
    expect(problemsOf({ env: { ...env, IN_FLIGHT_MAX_BYTES: '128KiB', RECORD_MAX_BYTES: '64KiB' } })).toEqual(
      [],
    )
  })

  test('a pool of one connection is too small', () => {
    expect(problemsOf({ env: { DATABASE_POOL_MAX: '1' } })).toHaveLength(1)
  })

  test('a secret given both ways in one place is refused; in two places the nearer one counts', () => {
    const path = write('secret', 'postgresql://file/o')
    const both = { DATABASE_URL: 'postgresql://plain/o', DATABASE_URL_FILE: path }
    expect(problemsOf({ env: both })).toEqual([
      'DATABASE_URL (environment): is given together with DATABASE_URL_FILE; expected only one of them',
    ])
    const { settings } = loadSettings({
      flags: { databaseUrl: both.DATABASE_URL },
      env: { DATABASE_URL_FILE: path },
      cwd,
    })
    expect(settings.databaseUrl).toBe('postgresql://plain/o')
  })

  test('a file that is asked for and missing, broken or too large is named', () => {
    expect(problemsOf({ flags: { config: 'nowhere.yaml' } })[0]).toContain(join(cwd, 'nowhere.yaml'))
    write('broken.yaml', 'a: [')
    write('broken.toml', 'a = ')
    write('list.yaml', '- a')
    write('large.yaml', `a: ${'x'.repeat(2_000_000)}`)
    for (const config of ['broken.yaml', 'broken.toml', 'list.yaml', 'large.yaml']) {
      expect(problemsOf({ flags: { config } })[0], config).toContain(config)
    }
    expect(problemsOf({ env: { REDIS_URL_FILE: '/nowhere' } })[0]).toContain(
      'REDIS_URL_FILE (environment): cannot be read',
    )
  })

  test('two settings files side by side are refused', () => {
    write('observatory.yaml', '')
    write('observatory.toml', '')
    expect(problemsOf({})[0]).toContain('expected one settings file')
  })

  test('a name in both spellings is given twice', () => {
    write('observatory.yaml', 'http_port: 1\nHTTP_PORT: 2\n')
    expect(problemsOf({})[0]).toContain('HTTP_PORT')
  })

  test('a YAML file cannot blow up by its aliases', () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(',')}]`,
    )
    write('observatory.yaml', ['l0: &l0 [a,b]', ...levels].join('\n'))
    expect(problemsOf({})[0]).toContain('cannot be read')
  })

  test.each(['yaml', 'toml'])('a broken %s file is not quoted: it may hold a password', (extension) => {
    const equals = extension === 'toml' ? '=' : ':'
    write(`a.${extension}`, `database_url${equals} "postgresql://u:hunter2@db/o\nhttp_port${equals} [`)
    const problems = problemsOf({ flags: { config: `a.${extension}` } })
    expect(problems).toHaveLength(1)
    expect(problems[0]).not.toContain('hunter2')
  })

  test('no problem repeats a URL, which holds a password', () => {
    const path = write('secret', 'nonsense with hunter2')
    const env = { DATABASE_URL: 'postgresql://u:hunter2@[broken', REDIS_URL_FILE: path }
    expect(problemsOf({ env })).toHaveLength(2)
    expect(problemsOf({ env }).join()).not.toContain('hunter2')
  })
})

describe('which values are allowed', () => {
  test.each<[string, number]>([
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['64 kib', 65_536],
    ['4MB', 4_000_000],
    ['1.5MiB', 1_572_864],
    ['1GiB', 1_073_741_824],
  ])('IN_FLIGHT_MAX_BYTES=%s is %d bytes', (text, bytes) => {
    const { settings } = loadSettings({
      env: { IN_FLIGHT_MAX_BYTES: text, BATCH_MAX_BYTES: '32KiB', RECORD_MAX_BYTES: '8KiB' },
      cwd,
    })
    expect(settings.inFlightMaxBytes).toBe(bytes)
  })

  test.each(['1.0001KiB', '64M', '0x10', '1e9', '-1', ' ', 'NaN', 'Infinity', '99999999999999999999'])(
    'BATCH_MAX_BYTES=%j is refused',
    (text) => expect(problemsOf({ env: { BATCH_MAX_BYTES: text } })).toHaveLength(1),
  )

  test.each(['1.5', '1e3', '0x10', '-1', 'true', '٣', '1_000'])('READ_COUNT=%j is refused', (text) =>
    expect(problemsOf({ env: { READ_COUNT: text } })).toHaveLength(1),
  )

  test.each([
    'redis://localhost',
    'redis://:p%40ss@host:6379/3',
    'rediss://user:pass@host:6380?family=6',
    '/run/redis.sock?db=2',
    'redis://[::1]:6379',
    'redis+sentinel://host/primary',
    'rediss+sentinel://me:p%40ss@host:26379,[::1]:26380,third/primary/3?sentinelPassword=x',
  ])('REDIS_URL=%s is taken', (url) => expect(problemsOf({ env: { REDIS_URL: url } })).toEqual([]))

  test.each([
    'localhost:6379',
    '6379',
    'REDISS://host',
    '//host',
    'http://host',
    'redis://host/name',
    'redis://host?enableOfflineQueue=true',
    '/run/redis.sock?keyPrefix=x',
    'redis+sentinel://host',
    'redis+sentinel://host:x/primary',
    'redis+sentinel://,/primary',
    'redis+sentinel://host/primary/name',
    'redis+sentinel://host/primary?role=slave',
    'redis+sentinel://%@host/primary',
  ])('REDIS_URL=%s is refused', (url) => expect(problemsOf({ env: { REDIS_URL: url } })).toHaveLength(1))

  test.each([
    'postgres://localhost/o',
    'postgresql://u:p@host:5432/o?sslmode=require',
    'postgresql://u@/o?host=/run/postgresql',
    'postgresql:///o?host=/run/postgresql',
  ])('DATABASE_URL=%s is taken', (url) => expect(problemsOf({ env: { DATABASE_URL: url } })).toEqual([]))

  test.each(['localhost/o', 'host=db user=x', 'POSTGRES://h/o', 'postgresql://h:port/o', 'redis://h'])(
    'DATABASE_URL=%s is refused',
    (url) => expect(problemsOf({ env: { DATABASE_URL: url } })).toHaveLength(1),
  )

  test.each(['', ' ', 'two words', 'a\tb', 'x'.repeat(201), 'a\u0000b'])(
    'STREAM_PREFIX of %j is refused',
    (prefix) => expect(problemsOf({ flags: { streamPrefix: prefix } })).toHaveLength(1),
  )

  test('a number that YAML made of a name is that name', () => {
    write('observatory.yaml', 'consumer_name: 42')
    expect(loadSettings({ env: {}, cwd }).settings.consumerName).toBe('42')
  })
})

describe('what a person reads of them', () => {
  test('--print-config shows every setting on a line, its source, and no password', () => {
    const env = {
      DATABASE_URL: 'postgresql://u:hunter2@db/o?sslmode=require',
      REDIS_URL: 'redis://host?password=hunter3&db=1',
    }
    const lines = formatSettings(loadSettings({ env, cwd })).trimEnd().split('\n')
    expect(lines).toHaveLength(Object.keys(SETTINGS).length)
    expect(lines[0]).toMatch(/^DATABASE_URL +postgresql:\/\/u:\*\*\*@db\/o\?sslmode=require +environment$/)
    expect(lines[1]).toMatch(/^REDIS_URL +redis:\/\/host\?password=\*\*\*&db=1 +environment$/)
    expect(lines.join()).not.toContain('hunter')
    expect(new Set(lines.map((line) => line.search(/(default|environment)$/)))).toHaveProperty('size', 1)
  })

  test('every default is allowed by its own setting', () => {
    for (const key of Object.keys(SETTINGS) as (keyof Settings)[]) {
      const fallback = SETTINGS[key].default
      if (fallback === undefined) continue
      expect(problemsOf({ env: { [settingName(key)]: String(fallback) } }), key).toEqual([])
    }
  })

  test('every setting is an option of the command line, and secrets have one more for a file', () => {
    expect(settingOptions('httpPort')).toEqual([
      {
        flags: '--http-port <number>',
        description: 'Port the HTTP server listens on; 0 is any free one. (HTTP_PORT, default 4318)',
      },
    ])
    expect(settingOptions('databaseUrl').map(({ flags }) => flags)).toEqual([
      '--database-url <url>',
      '--database-url-file <file>',
    ])
    expect(settingOptions('logLevel')[0]?.flags).toBe('--log-level <trace|debug|info|warn|error|fatal>')
  })

  test('the help shows the default of a size as a person writes it', () => {
    expect(settingOptions('batchMaxBytes')[0]?.description).toContain('default 4MiB')
  })

  test('the documentation table has a row for every setting', () => {
    const rows = settingsTable()
      .split('\n')
      .filter((line) => line.startsWith('| `'))
    expect(rows).toHaveLength(Object.keys(SETTINGS).length)
    expect(rows.every((row) => row.endsWith('. |'))).toBe(true)
  })
})
