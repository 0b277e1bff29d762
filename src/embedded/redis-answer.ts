import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { ObservatoryError } from '../errors.ts'
import { identifyProcess } from '../process-identity.ts'
import type { RunningServer } from './servers-file.ts'

/** Long, as a start reads the whole append-only file back. */
const LOADING_TIMEOUT_MS = 300_000
/** For a server that runs and says nothing. */
const SILENCE_TIMEOUT_MS = 15_000
const CALL_TIMEOUT_MS = 3000
const POLL_MS = 25

interface RedisState {
  readonly pid: number
  readonly configFile: string
  readonly loading: boolean
}

/** The files of an embedded Redis in `dataDir`. */
export function redisFiles(dataDir: string): { folder: string; config: string; pid: string; log: string } {
  const folder = join(dataDir, 'redis')
  return {
    folder,
    config: join(folder, 'redis.conf'),
    pid: join(folder, 'redis.pid'),
    log: join(dataDir, 'redis.log'),
  }
}

/**
 * Waits until the Redis of `dataDir` answers on `port` with its data loaded. Undefined once it does not answer and `mayRun` says that it is
 * not there (any more).
 *
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when it runs but does not answer.
 */
export async function untilRedisAnswers(
  dataDir: string,
  port: number,
  mayRun: () => Promise<boolean>,
): Promise<RunningServer | undefined> {
  const begun = Date.now()
  for (;;) {
    const state = await callRedis(port, readState).catch(() => undefined)
    const ours = state !== undefined && state.configFile === redisFiles(dataDir).config
    const identity = ours ? identifyProcess(state.pid) : undefined
    if (identity !== undefined && !state?.loading) return { ...identity, port }
    if (identity === undefined && !(await mayRun())) return undefined
    const timeoutMs = identity === undefined ? SILENCE_TIMEOUT_MS : LOADING_TIMEOUT_MS
    if (Date.now() - begun > timeoutMs) throw notAnswering(dataDir, port)
    await sleep(POLL_MS)
  }
}

async function readState(client: Redis): Promise<RedisState> {
  const info = await client.info()
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  return {
    pid: Number(field('process_id')),
    configFile: field('config_file'),
    loading: field('loading') !== '0',
  }
}

/** One connection for one call: never tried again, never kept. */
export async function callRedis<T>(port: number, call: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    connectTimeout: CALL_TIMEOUT_MS,
    commandTimeout: CALL_TIMEOUT_MS,
    connectionName: 'observatory-embedded',
  })
  // What breaks the connection also rejects the call that waits for it.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await call(client)
  } finally {
    // On a connection that is closed already, disconnect() would wait two seconds for it to close.
    if (client.status !== 'end') client.disconnect()
  }
}

function notAnswering(dataDir: string, port: number): ObservatoryError {
  const { pid, log } = redisFiles(dataDir)
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `The embedded Redis on port ${port} runs but does not answer. See ${log}; if it hangs, end it: kill -9 $(cat ${pid})`,
  )
}
