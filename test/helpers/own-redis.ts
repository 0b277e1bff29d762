import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callRedis } from '../../src/embedded/redis-answer.ts'
import { findRedisBinary } from '../../src/embedded/redis-binary.ts'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

/** A Redis that belongs to one test file, which may do to it what no other file would survive. */
export interface OwnRedis {
  readonly url: string
  readonly port: number
  readonly pid: () => number
  /** Ends it by a signal and waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<void>
  /** Starts it again on its port and its data; resolves when it has loaded, or when it says that it is loading. */
  start(until?: 'loading' | 'loaded'): Promise<void>
  /** Ends it and removes its data. */
  close(): Promise<void>
}

/** Starts a Redis with these lines of redis.conf. Without others it keeps everything on disk. */
export async function startOwnRedis(settings: Readonly<Record<string, string>> = {}): Promise<OwnRedis> {
  const binary = await findRedisBinary()
  const folder = await mkdtemp(join(tmpdir(), 'observatory-own-redis-'))
  const port = await freePort()
  const conf = {
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync: 'always',
    ...settings,
  }
  const args = Object.entries({ ...conf, port: String(port) }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ])
  let child: ChildProcess | undefined
  const redis: OwnRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: () => child?.pid ?? 0,
    start: async (until = 'loaded') => {
      child = spawn(binary, args, { stdio: 'ignore' })
      await eventually(() =>
        callRedis(port, async (client) => {
          const info = await client.info()
          if (!info.includes(`process_id:${child?.pid}\r`))
            throw new Error(`Port ${port} is another server's`)
          if (/^loading:1/m.test(info) !== (until === 'loading')) throw new Error(`Redis is not ${until}`)
        }),
      )
    },
    end: async (signal) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill(signal)
      await exited
    },
    close: async () => {
      await redis.end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
  await redis.start()
  return redis
}
