/*
 * Runs in a process of its own (ChildModule): adds spans to a stream at a given rate until it is disconnected, and tells every second how
 * many it has added.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRedis, whenReady } from '../../redis.ts'
import { createWorkload } from './workload.ts'

/** What it is sent to begin with. */
export interface LoadProducerOptions {
  readonly redisUrl: string
  readonly stream: string
  readonly rowsPerSecond: number
  readonly seed: number
}

/** What it answers: how many were added so far. */
export interface LoadProgress {
  readonly added: number
}

const TICK_MS = 10
const TELL_MS = 1000
/** Made beforehand and added again and again: making them takes processor time that is the service's on a small machine. */
const DISTINCT_SPANS = 5000

const [options] = (await once(process, 'message')) as [LoadProducerOptions]
process.once('disconnect', () => process.exit())
const redis = createRedis({
  url: options.redisUrl,
  role: 'commands',
  name: 'bench-load',
  onError: () => undefined,
})
await whenReady(redis)
const workload = createWorkload('traces', { seed: options.seed, rows: DISTINCT_SPANS, nowMs: Date.now() })
const spans = Array.from({ length: DISTINCT_SPANS }, (_, index) => JSON.stringify(workload.record(index)))

const startedMs = performance.now()
let [added, toldMs] = [0, startedMs]
for (;;) {
  const due = Math.floor(((performance.now() - startedMs) / 1000) * options.rowsPerSecond)
  const pipeline = redis.pipeline()
  for (; added < due; added += 1)
    pipeline.xadd(options.stream, '*', 'json', spans[added % DISTINCT_SPANS] ?? '')
  const replies = await pipeline.exec()
  const failed = replies?.find(([error]) => error !== null)
  if (failed) throw failed[0]
  if (performance.now() - toldMs >= TELL_MS) {
    process.send?.({ added } satisfies LoadProgress)
    toldMs = performance.now()
  }
  await sleep(TICK_MS)
}
