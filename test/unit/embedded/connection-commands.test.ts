import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { connectionCommands } from '../../../src/embedded/connection-commands.ts'

const URLS = {
  databaseUrl: 'postgres://observatory:secret@127.0.0.1:15433/observatory',
  redisUrl: 'redis://127.0.0.1:16380',
}

describe('the commands that open the embedded servers', () => {
  test('name the ports in use and the file of the password, never the password', () => {
    expect(connectionCommands({ dataDir: '/home/me/.observatory', ...URLS })).toEqual({
      redisCli: 'redis-cli -p 16380',
      psql: 'PGPASSFILE=/home/me/.observatory/pgpass psql -h 127.0.0.1 -p 15433 -U observatory observatory',
    })
  })

  test('leave out what does not run', () => {
    expect(connectionCommands({ dataDir: '/d', redisUrl: URLS.redisUrl })).toEqual({
      redisCli: 'redis-cli -p 16380',
    })
  })

  test.each(['/a folder', "/it's", '/$HOME', '/a;b', '/ü'])(
    'can be pasted into a shell for the folder %s',
    (dataDir) => {
      const { psql = '' } = connectionCommands({ dataDir, ...URLS })
      const shown = execFileSync('sh', ['-c', psql.replace('psql ', 'sh -c \'printf %s "$PGPASSFILE"\' ')], {
        encoding: 'utf8',
      })
      expect(shown).toBe(`${dataDir}/pgpass`)
    },
  )
})
