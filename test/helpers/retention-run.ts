import type pg from 'pg'
import { parseRetentionRules } from '../../src/models/retention-rule.ts'
import { NO_REMOVAL_HOOKS, type RemovalHooks } from '../../src/retention/removal-hooks.ts'
import type { RetentionPolicy } from '../../src/retention/retention-policy.ts'
import { withRetentionSession } from '../../src/retention/retention-session.ts'
import {
  type RetentionEvent,
  type RetentionOutcome,
  type RunRetentionOptions,
  runRetention,
} from '../../src/retention/run-retention.ts'

const FOREVER = Number.POSITIVE_INFINITY

/** A policy that keeps for ever what is not said. */
export function retentionPolicy(days: Partial<RetentionPolicy['days']>, rules = ''): RetentionPolicy {
  const parsed = parseRetentionRules(rules)
  if ('problems' in parsed) throw new Error(parsed.problems.join())
  return { days: { traces: FOREVER, logs: FOREVER, metrics: FOREVER, ...days }, rules: parsed.rules }
}

export interface RetentionRun {
  /** Undefined where another process has the lock. */
  readonly outcome: RetentionOutcome | undefined
  readonly events: readonly RetentionEvent[]
  /** What became of each removal, in order: `removed public.spans_p20261114`. */
  readonly ends: readonly string[]
}

/** One run, which waits for nobody unless told so. */
export async function runOnce(
  pool: pg.Pool,
  policy: RetentionPolicy,
  options: Partial<RunRetentionOptions> & Pick<RunRetentionOptions, 'nowMs'>,
): Promise<RetentionRun> {
  const events: RetentionEvent[] = []
  const signal = options.signal ?? new AbortController().signal
  const done = await withRetentionSession(pool, signal, (client) =>
    runRetention(client, {
      policy,
      hooks: NO_REMOVAL_HOOKS,
      signal,
      pauseMs: 0,
      readersWaitMs: 0,
      finishWaitMs: 0,
      onEvent: (event) => events.push(event),
      ...options,
    }),
  )
  const ends = events
    .filter(({ kind }) => kind !== 'begun' && kind !== 'chunk' && kind !== 'waiting')
    .map(({ kind, removal }) => `${kind} ${removal.partition}`)
  return { outcome: done?.result, events, ends }
}

/** Writes down how many rows went by which removal, in the transaction that takes them away: into a table `sums`. */
export const SUMMING_HOOKS: RemovalHooks = {
  beforeRemoval: async () => undefined,
  removeRows: async (client, removal, relation) => {
    await client.query(`insert into sums select $1, $2, count(*), sum(entry_seq) from ${relation} as gone`, [
      String(removal.removalId),
      removal.table,
    ])
  },
}

export const CREATE_SUMS = 'create table sums (removal_id bigint, table_name text, rows bigint, seqs numeric)'
