/*
 * Runs in a process of its own (ChildModule): adds spans of many services in turn to a stream, at a given rate. Each says which of its service it is and when it was added. Tells how many
 * were added, every second and when all are.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRedis, whenReady } from '../../redis.ts'
import { NUMBER_KEY, SENT_KEY } from './tail-load-keys.ts'
import { createWorkload } from './workload.ts'

/** What it is sent to begin with. */
export interface TailLoadOptions {
  readonly redisUrl: string
  readonly stream: string
  readonly rowsPerSecond: number
  readonly rows: number
  readonly services: number
}

/** What it answers. */
export interface TailLoadProgress {
  readonly added: number
  readonly isDone: boolean
}

const TICK_MS = 5
const TELL_MS = 1000
const DISTINCT_SPANS = 500

const [options] = (await once(process, 'message')) as [TailLoadOptions]
process.once('disconnect', () => process.exit())
const redis = createRedis({
  url: options.redisUrl,
  role: 'commands',
  name: 'bench-load',
  onError: () => undefined,
})
await whenReady(redis)
const workload = createWorkload('traces', { seed: 1, rows: DISTINCT_SPANS, nowMs: Date.now() })
const spans = Array.from({ length: DISTINCT_SPANS }, (_, index) => {
  const { attributes, ...span } = workload.record(index) as { readonly attributes: object }
  return { text: JSON.stringify(span).slice(1), attributes: JSON.stringify(attributes).slice(1) }
})

/** Each has a trace of its own: those of the workload would come again and again. */
function spanJson(index: number): string {
  const { text, attributes } = spans[index % DISTINCT_SPANS] ?? { text: '}', attributes: '}' }
  const service = `service-${index % options.services}`
  const number = Math.floor(index / options.services)
  const sent = performance.timeOrigin + performance.now()
  const traceId = (index + 1).toString(16).padStart(32, '0')
  return `{"attributes":{"${NUMBER_KEY}":${number},"${SENT_KEY}":${sent},${attributes},${text.replace(/\}$/, '')},"service":"${service}","traceId":"${traceId}"}`
}

const startedMs = performance.now()
let [added, toldMs] = [0, startedMs]
while (added < options.rows) {
  const due = Math.min(
    options.rows,
    Math.floor(((performance.now() - startedMs) / 1000) * options.rowsPerSecond),
  )
  const pipeline = redis.pipeline()
  for (; added < due; added += 1) pipeline.xadd(options.stream, '*', 'json', spanJson(added))
  const replies = await pipeline.exec()
  const failed = replies?.find(([error]) => error !== null)
  if (failed) throw failed[0]
  if (performance.now() - toldMs >= TELL_MS) {
    process.send?.({ added, isDone: false } satisfies TailLoadProgress)
    toldMs = performance.now()
  }
  await sleep(TICK_MS)
}
process.send?.({ added, isDone: true } satisfies TailLoadProgress)
