import { type Inspect, type Link, startProxy } from './proxy-server.ts'
import { RedisCommands } from './redis-commands.ts'
import { Traps } from './trap.ts'

/** `entries`: a reply with stream entries in it is on its way to the worker. `xack`: an acknowledgement is on its way to Redis. */
export interface RedisMoment {
  readonly point: 'entries' | 'xack'
  readonly link: Link
  /** Of `xack`: the command as it was sent. */
  readonly bytes: Buffer
}

export interface RedisProxy {
  readonly port: number
  readonly traps: Traps<RedisMoment>
  readonly links: ReadonlySet<Link>
  close(): Promise<void>
}

const ENTRY_ID = /\$\d+\r\n(\d{10,16}-\d+)\r\n/g
const LONGEST_ID_BYTES = 48
/** Streams are named in the commands that read them. */
const STREAM = /:(traces|metrics|logs)$/

export interface RedisProxyOptions {
  readonly port: () => number
  /** Told of each entry in a reply to a read or a claim. */
  readonly onDelivered: (stream: string, id: string) => void
}

/** A proxy between one worker and Redis that sees every command and the entries in the replies. */
export async function startRedisProxy({ port, onDelivered }: RedisProxyOptions): Promise<RedisProxy> {
  const traps = new Traps<RedisMoment>()
  const server = await startProxy({ host: '127.0.0.1', port }, (link) => {
    const commands = new RedisCommands()
    /** The stream of the read or claim that is under way: a connection that reads does one thing at a time. Others never read. */
    let reading: string | undefined
    let isReader = false
    let tail = ''
    const fromClient: Inspect = async function* (chunk) {
      for (const { args, bytes } of commands.read(chunk)) {
        const name = args[0]?.toUpperCase()
        isReader ||= name === 'XREADGROUP'
        const mayDeliver = name === 'XREADGROUP' || name === 'EVAL'
        reading = isReader && mayDeliver ? args.find((arg) => STREAM.test(arg)) : undefined
        const moment = { point: 'xack', link, bytes } as const
        yield { bytes, verdict: name === 'XACK' ? await traps.meet(moment) : 'pass' }
      }
    }
    const fromServer: Inspect = async function* (chunk) {
      const text = reading === undefined ? '' : tail + chunk.toString('latin1')
      let end = 0
      for (const match of text.matchAll(ENTRY_ID)) {
        if (reading !== undefined && match[1] !== undefined) onDelivered(reading, match[1])
        end = match.index + match[0].length
      }
      tail = text.slice(Math.max(end, text.length - LONGEST_ID_BYTES))
      const moment = { point: 'entries', link, bytes: chunk } as const
      yield { bytes: chunk, verdict: end > 0 ? await traps.meet(moment) : 'pass' }
    }
    return { fromClient, fromServer }
  })
  return { ...server, traps }
}
