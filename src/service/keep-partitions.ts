import { archiveOnThread } from '../retention/archive/archive-on-thread.ts'
import { countArchives } from '../retention/archive/count-archives.ts'
import { createRemovalHooks } from '../retention/create-removal-hooks.ts'
import { FreezeKeeper } from '../retention/freeze-keeper.ts'
import { IndexKeeper } from '../retention/index-keeper.ts'
import { RetentionKeeper } from '../retention/retention-keeper.ts'
import { readRetentionPolicy } from '../retention/retention-policy.ts'
import { RollupKeeper } from '../retention/rollups/rollup-keeper.ts'
import type { IngestNeeds } from './ingest-needs.ts'
import type { ServiceOptions } from './service-options.ts'

/** What becomes of partitions whose time is over: indexes, a vacuum, rollups, and how long they stay. */
export function keepPartitions(
  { settings, logger }: ServiceOptions,
  { pools, releasers, metrics }: Pick<IngestNeeds, 'pools' | 'releasers' | 'metrics'>,
): void {
  const pool = pools.open('maintenance')
  const { indexPartitions: partitions } = settings
  if (partitions !== 'off') {
    const indexes = new IndexKeeper({ pool, partitions, metrics, logger })
    releasers.defer('index keeper', () => indexes.stop())
  }
  const rollups = new RollupKeeper({ pool, metrics, logger })
  releasers.defer('rollup keeper', () => rollups.stop())
  const freezing = new FreezeKeeper({ pool, isIndexed: partitions !== 'off', metrics, logger })
  releasers.defer('freeze keeper', () => freezing.stop())
  const policy = readRetentionPolicy(settings)
  const archive = archiveOnThread(settings)
  const retention = new RetentionKeeper({
    pool,
    policy,
    hooks: createRemovalHooks(pool, archive && countArchives(archive, metrics)),
    metrics,
    logger,
  })
  releasers.defer('retention', () => retention.stop())
}
