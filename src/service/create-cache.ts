import type { CacheOutcome } from '../metrics/cache-outcome.ts'
import { ResultCache } from '../repositories/result-cache.ts'
import type { IngestNeeds } from './ingest-needs.ts'
import type { ServiceOptions } from './service-options.ts'

/** The cache of answers, unless it is set to nothing. */
export function createCache(
  { settings }: ServiceOptions,
  { commands, metrics }: Pick<IngestNeeds, 'commands' | 'metrics'>,
): ResultCache | undefined {
  const { resultCacheMaxBytes: maxBytes, streamPrefix: prefix } = settings
  if (maxBytes === 0) return undefined
  const onOutcome = (outcome: CacheOutcome) => metrics.cachedAnswers.inc({ outcome })
  return new ResultCache({ redis: commands, prefix, maxBytes, onOutcome })
}
