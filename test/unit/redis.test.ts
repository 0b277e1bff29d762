import { expect, test } from 'vitest'
import { describeRedis } from '../../src/redis-url.ts'
import { assertSuitableRedis, readVersion } from '../../src/wait-for-redis.ts'

const REDIS = '# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:00000000\r\nredis_mode:standalone\r\n'
const VALKEY = '# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n'

test('Redis and Valkey are told apart by what INFO says', () => {
  expect(readVersion(REDIS)).toEqual({ redisVersion: '7.0.15', label: 'Redis 7.0.15' })
  expect(readVersion(VALKEY)).toEqual({ redisVersion: '7.2.4', label: 'Valkey 8.1.0' })
  expect(readVersion('')).toEqual({ redisVersion: undefined, label: 'Redis (version not told)' })
})

test.each(['7.0.0', '7.2.4', '8.10.1', '10.0.0', undefined])('Redis %s is new enough', (redisVersion) => {
  expect(() => assertSuitableRedis('Redis at h:6379', { redisVersion, label: 'x' })).not.toThrow()
})

test.each(['6.2.14', '5.0.7', '2.8'])(
  'Redis %s is too old, and the message names both versions',
  (redisVersion) => {
    expect(() =>
      assertSuitableRedis('Redis at h:6379', readVersion(`redis_version:${redisVersion}\r\n`)),
    ).toThrow(
      expect.objectContaining({
        code: 'ERR_SERVER_UNSUITABLE',
        message: expect.stringMatching(
          new RegExp(`Redis at h:6379 is Redis ${redisVersion}; Redis 7.0 or newer`),
        ),
      }),
    )
  },
)

test.each([
  ['redis://user:hunter2@cache.example:6380/3', 'Redis at cache.example:6380'],
  ['rediss://:hunter2@cache.example?password=hunter2', 'Redis at cache.example:6379'],
  ['redis://', 'Redis at localhost:6379'],
  ['redis://[::1]', 'Redis at [::1]:6379'],
  ['/run/redis.sock?password=hunter2', 'Redis at /run/redis.sock'],
])('%s leads to %s', (url, described) => expect(describeRedis(url)).toBe(described))
