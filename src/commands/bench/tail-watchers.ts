/*
 * Runs in a process of its own (ChildModule): opens tails, and looks at every record that they show. What comes is kept until it is told that the load has ended, and looked at then: tens of thousands of
 * records a second are a third of a processor core, which on a small machine is the service's. For the same reason it gives way to all else: watchers are on other machines. Tells every half second what it
 * has seen.
 */
import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { giveWay } from '../../give-way.ts'
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

/** What came of a tail, and when. */
interface Received {
  readonly chunk: Buffer
  readonly atMs: number
}

const [options] = (await once(process, 'message')) as [TailWatchersOptions]
process.once('disconnect', () => process.exit())
giveWay()
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
const seen = { live: 0, records: 0, outOfTurn: 0, dropped: 0, gaps: 0, ended: 0 }
let latenciesMs: number[] = []

const tails: Tail[] = []
let isLoadOver = false
process.once('message', async () => {
  isLoadOver = true
  for (const tail of tails) {
    tail.lookAtAll()
    // What comes meanwhile is not to wait until all of it is looked at.
    await turn()
  }
})

/** One tail: what of it is still to be looked at. */
class Tail {
  readonly #next = new Map<string, number>()
  #kept: Received[] = []
  #rest = ''
  #isLive = false

  take(received: Received): void {
    this.#kept.push(received)
    // The first thing that comes says that it is live.
    if (isLoadOver || !this.#isLive) this.lookAtAll()
  }

  lookAtAll(): void {
    for (const { chunk, atMs } of this.#kept) {
      const text = this.#rest + chunk.toString('latin1')
      let from = 0
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n', from)) {
        this.#look(text, from, atMs)
        from = end + 2
      }
      this.#rest = text.slice(from)
    }
    this.#kept = []
  }

  /** At a frame of a text, without taking it out. */
  #look(text: string, from: number, atMs: number): void {
    if (text.startsWith('id:', from)) this.#lookAtRecord(text, from, atMs)
    else if (text.startsWith('event: heartbeat', from)) {
      if (!this.#isLive) seen.live += 1
      this.#isLive = true
    } else if (text.startsWith('event: dropped', from)) seen.dropped += memberOf(text, from, 'count')
    else if (text.startsWith('event: gap', from)) seen.gaps += 1
  }

  #lookAtRecord(text: string, from: number, atMs: number): void {
    const number = memberOf(text, from, NUMBER_KEY)
    // A probe has none.
    if (Number.isNaN(number)) return
    const serviceAt = text.indexOf('"service":"service-', from) + 11
    const service = text.slice(serviceAt, text.indexOf('"', serviceAt))
    const expected = this.#next.get(service)
    if (expected !== undefined && expected !== number) seen.outOfTurn += 1
    this.#next.set(service, number + 1)
    seen.records += 1
    if (latenciesMs.length < MAX_LATENCIES) latenciesMs.push(atMs - memberOf(text, from, SENT_KEY))
  }
}

async function watch(index: number): Promise<void> {
  const query = options.services === undefined ? '' : `?service=service-${index % options.services}`
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    get(`${options.url}/api/v1/spans/tail${query}`, { agent }, resolve).once('error', reject),
  )
  if (answer.statusCode !== 200) throw new Error(`the tail answered ${answer.statusCode}`)
  const tail = new Tail()
  tails.push(tail)
  answer.on('data', (chunk: Buffer) => tail.take({ chunk, atMs: performance.timeOrigin + performance.now() }))
  answer.once('close', () => {
    seen.ended += 1
  })
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
