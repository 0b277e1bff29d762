import type pg from 'pg'
import { createTails, type SignalTails } from '../tail/create-tails.ts'
import type { IngestNeeds } from './ingest-needs.ts'
import { connectRedis } from './open-redis.ts'
import { recordLimitsOf } from './record-limits-of.ts'
import type { ServiceOptions } from './service-options.ts'

interface TailNeeds extends Pick<IngestNeeds, 'commands' | 'metrics' | 'privacy'> {
  readonly pool: pg.Pool
}

/** The tail of each signal. */
export function openTails(options: ServiceOptions, needs: TailNeeds): SignalTails {
  const { settings, logger } = options
  return createTails({
    ...needs,
    logger,
    streamPrefix: settings.streamPrefix,
    recordLimits: recordLimitsOf(settings),
    connect: () => connectRedis(options, 'blocking'),
  })
}
