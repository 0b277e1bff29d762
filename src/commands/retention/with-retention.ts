import { ObservatoryError } from '../../errors.ts'
import {
  type RetentionPolicy,
  readRetentionPolicy,
  removesAnything,
} from '../../retention/retention-policy.ts'
import { type OpenPool, withPool } from '../with-pool.ts'

/** As {@link withPool} takes it. */
export const RETENTION_USE = { name: 'retention', connections: 3, relation: 'removals' }

/**
 * Runs `work` with the policy of the settings.
 *
 * @throws ObservatoryError ERR_USAGE when nothing is ever removed by it.
 */
export async function withRetention(
  flags: object,
  work: (open: OpenPool & { readonly policy: RetentionPolicy }) => Promise<void>,
): Promise<void> {
  await withPool(flags, RETENTION_USE, async (open) => {
    const policy = readRetentionPolicy(open.settings)
    if (!removesAnything(policy))
      throw new ObservatoryError(
        'ERR_USAGE',
        'Everything is kept for ever: set RETENTION_TRACES_DAYS, RETENTION_METRICS_DAYS, RETENTION_LOGS_DAYS or RETENTION_RULES',
      )
    await work({ ...open, policy })
  })
}
