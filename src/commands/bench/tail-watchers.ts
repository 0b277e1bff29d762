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
    const text = rest + chunk
    let from = 0
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n', from)) {
      look(text, from, next)
      from = end + 2
    }
    rest = text.slice(from)
  })
  answer.once('close', () => {
    seen.ended += 1
  })
}

/** At a frame of a text, without taking it out: there are tens of thousands a second. */
function look(text: string, from: number, next: Map<string, number>): void {
  if (text.startsWith('id:', from)) lookAtRecord(text, from, next)
  else if (text.startsWith('event: heartbeat', from)) {
    if (!next.has('live')) seen.live += 1
    next.set('live', 1)
  } else if (text.startsWith('event: dropped', from)) seen.dropped += memberOf(text, from, 'count')
  else if (text.startsWith('event: gap', from)) seen.gaps += 1
}

function lookAtRecord(text: string, from: number, next: Map<string, number>): void {
  const number = memberOf(text, from, NUMBER_KEY)
  // A probe has none.
  if (Number.isNaN(number)) return
  const serviceAt = text.indexOf('"service":"service-', from) + 11
  const service = text.slice(serviceAt, text.indexOf('"', serviceAt))
  const expected = next.get(service)
  if (expected !== undefined && expected !== number) seen.outOfTurn += 1
  next.set(service, number + 1)
  seen.records += 1
  if (latenciesMs.length < MAX_LATENCIES)
    latenciesMs.push(performance.timeOrigin + performance.now() - memberOf(text, from, SENT_KEY))
}

/** NaN of a frame that does not have it. */
function memberOf(text: string, from: number, key: string): number {
  const at = text.indexOf(`"${key}":`, from)
  const end = text.indexOf('\n\n', from)
  return at < 0 || at > end
    ? Number.NaN
    : Number.parseFloat(text.slice(at + key.length + 3, at + key.length + 24))
}

setInterval(() => {
  process.send?.({ ...seen, latenciesMs } satisfies WatchersSeen)
  latenciesMs = []
}, TELL_MS)
for (let from = 0; from < options.watchers; from += OPENED_AT_ONCE) {
  const count = Math.min(OPENED_AT_ONCE, options.watchers - from)
  await Promise.all(Array.from({ length: count }, (_, index) => watch(from + index)))
}
