import type { Redis } from 'ioredis'
import { RateLimiter } from '../http/access/rate-limiter.ts'
import { OtlpReceiver } from '../http/otlp/otlp-receiver.ts'
import { WriteBarrier } from '../http/otlp/write-barrier.ts'
import type { Releasers } from '../lifecycle.ts'
import { openRedis } from './open-redis.ts'
import { recordLimitsOf } from './record-limits-of.ts'
import type { ServiceOptions } from './service-options.ts'

/** Takes OTLP. On a connection of its own: bodies of megabytes must not hold up what ingest asks of Redis. */
export function createReceiver(options: ServiceOptions, releasers: Releasers) {
  const { settings, logger } = options
  const redis = openRedis(options, releasers, 'commands')
  const barrier = createBarrier(options, { releasers, writes: redis })
  const receiver = new OtlpReceiver({
    redis,
    barrier,
    streamPrefix: settings.streamPrefix,
    streamMaxEntries: settings.streamKeepEntries + settings.otlpBacklogMaxEntries,
    recordLimits: recordLimitsOf(settings),
    serviceLimiter:
      settings.otlpServiceRateLimit > 0 ? new RateLimiter(settings.otlpServiceRateLimit) : undefined,
    onError: (error, signal) => logger.warn({ err: error, signal }, 'Redis did not take an export request'),
  })
  return { receiver, barrier }
}

function createBarrier(
  options: ServiceOptions,
  { releasers, writes }: { readonly releasers: Releasers; readonly writes: Redis },
): WriteBarrier | undefined {
  const { otlpDurability: durability, streamPrefix } = options.settings
  if (durability === 'memory') return undefined
  const redis = openRedis(options, releasers, 'commands')
  const barrier = new WriteBarrier({ durability, redis, writes, key: `${streamPrefix}:written` })
  releasers.defer('write barrier', () => barrier.close())
  return barrier
}
