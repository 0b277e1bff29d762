/*
 * Runs in a process of its own (ChildModule): opens tails, and looks at every record that they show. Tells every half second what it has seen.
 */
import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { NUMBER_KEY, SENT_KEY } from './tail-load-keys.ts'

/** What it is sent to begin with. */
export interface TailWatchersOptions {
  readonly url: string
  readonly watchers: number
  /** Each watches one of so many services; undefined: each watches all. */
  readonly services?: number
}

/** What it answers. */
export interface WatchersSeen {
  /** Tails that are live. */
  readonly live: number
  readonly records: number
  /** Records that were not the next one of their service. */
  readonly outOfTurn: number
  readonly dropped: number
  readonly gaps: number
  readonly ended: number
  /** From XADD until it was received, in milliseconds, of at most 100,000 records. */
  readonly latenciesMs: readonly number[]
}

const TELL_MS = 500
const MAX_LATENCIES = 100_000
const OPENED_AT_ONCE = 50

const [options] = (await once(process, 'message')) as [TailWatchersOptions]
process.once('disconnect', () => process.exit())
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
const seen = { live: 0, records: 0, outOfTurn: 0, dropped: 0, gaps: 0, ended: 0 }
let latenciesMs: number[] = []

async function watch(index: number): Promise<void> {
  const query = options.services === undefined ? '' : `?service=service-${index % options.services}`
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    get(`${options.url}/api/v1/spans/tail${query}`, { agent }, resolve).once('error', reject),
  )
  if (answer.statusCode !== 200) throw new Error(`the tail answered ${answer.statusCode}`)
  const next = new Map<string, number>()
  let rest = ''
  answer.setEncoding('latin1')
  answer.on('data', (chunk: string) => {
    const frames = (rest + chunk).split('\n\n')
    rest = frames.pop() ?? ''
    for (const frame of frames) look(frame, next)
  })
  answer.once('close', () => {
    seen.ended += 1
  })
}

function look(frame: string, next: Map<string, number>): void {
  if (frame.startsWith('event: heartbeat')) {
    if (!next.has('live')) seen.live += 1
    next.set('live', 1)
  } else if (frame.startsWith('event: dropped')) seen.dropped += Number(/\d+/.exec(frame)?.[0])
  else if (frame.startsWith('event: gap')) seen.gaps += 1
  else if (frame.startsWith('id:')) lookAtRecord(frame, next)
}

function lookAtRecord(frame: string, next: Map<string, number>): void {
  const number = memberOf(frame, NUMBER_KEY)
  // A probe has none.
  if (Number.isNaN(number)) return
  const serviceAt = frame.indexOf('"service":"service-') + 11
  const service = frame.slice(serviceAt, frame.indexOf('"', serviceAt))
  const expected = next.get(service)
  if (expected !== undefined && expected !== number) seen.outOfTurn += 1
  next.set(service, number + 1)
  seen.records += 1
  if (latenciesMs.length < MAX_LATENCIES)
    latenciesMs.push(performance.timeOrigin + performance.now() - memberOf(frame, SENT_KEY))
}

function memberOf(frame: string, key: string): number {
  const at = frame.indexOf(`"${key}":`)
  return at < 0 ? Number.NaN : Number.parseFloat(frame.slice(at + key.length + 3, at + key.length + 24))
}

setInterval(() => {
  process.send?.({ ...seen, latenciesMs } satisfies WatchersSeen)
  latenciesMs = []
}, TELL_MS)
for (let from = 0; from < options.watchers; from += OPENED_AT_ONCE) {
  const count = Math.min(OPENED_AT_ONCE, options.watchers - from)
  await Promise.all(Array.from({ length: count }, (_, index) => watch(from + index)))
}
