import type { Redis } from 'ioredis'
import type pg from 'pg'
import { type Finding, fail, ok, warn } from './finding.ts'

const WARN_MS = 1000
/** Records then carry times that relative queries (`-15m`) and partitions made ahead do not expect. */
const FAIL_MS = 5 * 60_000

/** How far the clock of Redis, which gives log records without a time theirs, is from this machine's. */
export async function findRedisClock(redis: Redis): Promise<Finding> {
  return judgeClock(
    'Clock of Redis',
    await measure(async () => {
      const [seconds = 0, micros = 0] = await redis.time()
      return Number(seconds) * 1000 + Number(micros) / 1000
    }),
  )
}

/** How far the clock of PostgreSQL, which says when a batch was committed, is from this machine's. */
export async function findPostgresClock(client: pg.Client): Promise<Finding> {
  return judgeClock(
    'Clock of PostgreSQL',
    await measure(async () => {
      const { rows } = await client.query<{ ms: number }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
      )
      return rows[0]?.ms ?? Number.NaN
    }),
  )
}

/** Milliseconds that the other clock is ahead, and by how much that can be wrong: half of the way there and back. */
interface ClockOffset {
  readonly aheadMs: number
  readonly uncertaintyMs: number
}

async function measure(ask: () => Promise<number>): Promise<ClockOffset> {
  // The first answer includes what was set up for it.
  await ask()
  const begun = Date.now()
  const theirs = await ask()
  const uncertaintyMs = (Date.now() - begun) / 2
  return { aheadMs: theirs - begun - uncertaintyMs, uncertaintyMs }
}

/** Exported for its test: no clock can be set back in one. */
export function judgeClock(check: string, { aheadMs, uncertaintyMs }: ClockOffset): Finding {
  const apart = Math.abs(aheadMs)
  const found = `${Math.round(apart)} ms ${aheadMs < 0 ? 'behind' : 'ahead of'} this machine`
  const advice = 'Let all machines set their clocks by NTP.'
  if (apart - uncertaintyMs > FAIL_MS) return fail(check, found, advice)
  if (apart - uncertaintyMs > WARN_MS) return warn(check, found, advice)
  return ok(check, found)
}
