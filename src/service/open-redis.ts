import type { Redis } from 'ioredis'
import type { Releasers } from '../lifecycle.ts'
import { openRevivedRedis, type RedisRole } from '../redis.ts'
import type { ServiceOptions } from './service-options.ts'

/** Opens a connection that `releasers` closes. */
export function openRedis(options: ServiceOptions, releasers: Releasers, role: RedisRole): Redis {
  const { redis, close } = connectRedis(options, role)
  releasers.defer(`Redis connection (${role})`, close)
  return redis
}

/** Opens a connection that the caller closes. */
export function connectRedis(
  { settings, logger }: ServiceOptions,
  role: RedisRole,
): { readonly redis: Redis; readonly close: () => void } {
  return openRevivedRedis({
    url: settings.redisUrl,
    role,
    name: settings.consumerGroup,
    onError: (error) => logger.warn({ err: error }, 'a Redis connection failed; connecting again'),
  })
}
