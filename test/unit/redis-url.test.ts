import { expect, test } from 'vitest'
import { maskSecrets } from '../../src/mask-secrets.ts'
import { describeRedis, parseSentinelUrl } from '../../src/redis-url.ts'

const URL =
  'rediss+sentinel://me:p%40ss@one:26380,[::1],three/the%20primary/3?sentinelUsername=watch&sentinelPassword=hunter2'

test('a Sentinel URL has the sentinels, the name of the primary, and two accounts', () => {
  expect(parseSentinelUrl(URL)).toEqual({
    tls: true,
    username: 'me',
    password: 'p@ss',
    sentinels: [
      { host: 'one', port: 26_380 },
      { host: '::1', port: 26_379 },
      { host: 'three', port: 26_379 },
    ],
    name: 'the primary',
    db: 3,
    sentinelUsername: 'watch',
    sentinelPassword: 'hunter2',
  })
  expect(parseSentinelUrl('redis+sentinel://:only@host/primary')).toMatchObject({
    tls: false,
    username: undefined,
    password: 'only',
    db: 0,
  })
  expect(parseSentinelUrl('redis://host/0')).toBeUndefined()
})

test('it is described without accounts, and masked where it is shown', () => {
  expect(describeRedis(URL)).toBe('Redis the primary by Sentinel at one:26380, ::1:26379, three:26379')
  expect(maskSecrets(URL)).not.toMatch(/p%40ss|hunter2/)
})
