import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { whatToLookAt } from '../../../src/commands/quickstart/what-to-look-at.ts'
import { loadSettings } from '../../../src/config.ts'

const EMBEDDED = {
  databaseUrl: 'postgres://observatory:secret@127.0.0.1:15433/observatory',
  redisUrl: 'redis://127.0.0.1:16380',
}

function guide(env: Record<string, string>, urls = EMBEDDED, url = 'http://127.0.0.1:4321'): string {
  const { settings } = loadSettings({ env, cwd: '/' })
  return whatToLookAt({ settings, service: { url }, ...urls })
}

/** The words that a shell makes of the first line with that program in it. */
function words(text: string, program: string): string[] {
  const line = text.split('\n').find((each) => each.includes(`${program} `))
  const printed = execFileSync('sh', ['-c', `set -- ${line}; printf '%s\\n' "$@"`], { encoding: 'utf8' })
  return printed.trimEnd().split('\n')
}

function given(databaseUrl: string, redisUrl: string): string {
  return guide({ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl }, { databaseUrl, redisUrl })
}

describe('the commands to paste', () => {
  test('lead to the embedded servers and to the port in use, and hold no password', () => {
    const text = guide({ DATA_DIR: '/data/it is mine' })
    expect(text).toContain("curl -s 'http://127.0.0.1:4321/api/v1/spans?limit=5'")
    expect(words(text, 'psql').slice(0, 7)).toEqual([
      'PGPASSFILE=/data/it is mine/pgpass',
      'psql',
      '-h',
      '127.0.0.1',
      '-p',
      '15433',
      '-U',
    ])
    expect(words(text, 'redis-cli').slice(0, 6)).toEqual([
      'redis-cli',
      '-p',
      '16380',
      'XADD',
      'telemetry:logs',
      '*',
    ])
    expect(text).not.toContain('secret')
  })

  test('lead to given servers, without their passwords', () => {
    const text = given(
      "postgresql://o'neil:se%40cret@db.example:6543/tele%20metry?sslmode=require",
      'rediss://worker:topsecret@cache.example:6390/3',
    )
    expect(words(text, 'psql').slice(0, 3)).toEqual([
      'psql',
      "host=db.example port=6543 user='o\\'neil' dbname='tele metry' sslmode=require",
      '-c',
    ])
    const redisCli =
      'redis-cli -h cache.example -p 6390 --tls -n 3 --user worker --askpass XADD telemetry:logs *'
    expect(words(text, 'redis-cli').slice(0, 14).join(' ')).toBe(redisCli)
    expect(text).not.toMatch(/secret|se@cret|se%40cret/)
  })

  test('lead to a Redis behind a socket', () => {
    const text = given('postgresql://me@db/t', '/run/redis server/redis.sock?db=2&password=topsecret')
    expect(words(text, 'redis-cli').slice(0, 7)).toEqual([
      'redis-cli',
      '-s',
      '/run/redis server/redis.sock',
      '-n',
      '2',
      '--askpass',
      'XADD',
    ])
    expect(text).not.toContain('topsecret')
  })

  test('have a token where one is needed, which is asked for and not told', () => {
    const text = guide({ ACCESS_TOKENS: 'read:read-0123456789abcdef' })
    expect(text).toMatch(/^ {2}read -rs ACCESS_TOKEN && export ACCESS_TOKEN$/m)
    const curls = text.split('\n').filter((line) => line.includes('curl '))
    expect(curls).toHaveLength(7)
    const without = curls.filter((line) => !line.endsWith(' -H "Authorization: Bearer $ACCESS_TOKEN"'))
    expect(without).toEqual(['  curl -s http://127.0.0.1:4321/readyz'])
    expect(text).not.toContain('0123456789abcdef')
    expect(guide({})).not.toContain('ACCESS_TOKEN')
  })

  test('go over HTTPS to this machine whatever name its certificate is for', () => {
    expect(guide({}, EMBEDDED, 'https://127.0.0.1:4321')).toContain('curl -sk https://127.0.0.1:4321/metrics')
  })

  test('use the stream prefix of the settings, whatever a shell would make of it', () => {
    expect(words(guide({ STREAM_PREFIX: "it's$HOME" }), 'redis-cli')[4]).toBe("it's$HOME:logs")
  })
})
