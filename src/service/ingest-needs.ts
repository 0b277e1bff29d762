import type { Redis } from 'ioredis'
import type { InFlight } from '../ingest/in-flight.ts'
import type { Releasers } from '../lifecycle.ts'
import type { Metrics } from '../metrics.ts'
import type { PriceList } from '../models/prices/price-list.ts'
import type { Privacy } from '../models/privacy/privacy.ts'
import type { ServicePools } from '../service-pools.ts'
import type { ServiceState } from './service-state.ts'

/** What is there before ingest starts. */
export interface IngestNeeds {
  readonly releasers: Releasers
  readonly pools: ServicePools
  readonly metrics: Metrics
  readonly inFlight: InFlight
  readonly commands: Redis
  readonly state: ServiceState
  readonly prices: PriceList
  readonly privacy: Privacy
}
