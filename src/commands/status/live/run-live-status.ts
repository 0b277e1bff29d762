import type { LoadedSettings } from '../../../config.ts'
import { messageOf } from '../../../errors.ts'
import { type RunContext, StopRequested } from '../../../lifecycle.ts'
import { maskSecrets } from '../../../mask-secrets.ts'
import { describePostgres } from '../../../postgres-connection.ts'
import { openRevivedRedis, whenReady } from '../../../redis.ts'
import { describeRedis } from '../../../redis-url.ts'
import { untilOutputGone } from '../../output-gone.ts'
import { paintFor } from '../../query/paint.ts'
import { findServers, notRunning } from '../../servers.ts'
import { describeService, lookedAtService, readServiceState } from '../service-state.ts'
import { DatabaseLooks } from './database-looks.ts'
import { LiveScreen } from './live-screen.ts'
import { type LiveState, liveView } from './live-view.ts'
import { NOT_LOOKED, repeatLook, within } from './repeated-look.ts'
import { StreamLooks } from './stream-looks.ts'
import { watchKeys } from './watch-keys.ts'

const CONNECT_MAX_MS = 5000

export interface LiveStatusOptions {
  /** Between two looks. */
  readonly intervalMs: number
  /** Where a service answers; without it where the settings lead. */
  readonly url: string | undefined
}

/**
 * Shows the state on a terminal, anew each interval, until a key or a signal ends it. A server that does not answer is told, and tried again.
 *
 * @throws ObservatoryError when it is not known where a server is, or `url` is no address of a service.
 */
export async function runLiveStatus(
  loaded: LoadedSettings,
  { intervalMs, url }: LiveStatusOptions,
  { stopping, releasers }: RunContext,
): Promise<void> {
  const { settings } = loaded
  const service = lookedAtService(settings, url)
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const { databaseUrl, redisUrl } = await findServers(loaded, { releasers, log })
  if (databaseUrl === undefined) throw notRunning(settings, 'PostgreSQL')
  if (redisUrl === undefined) throw notRunning(settings, 'Redis')
  const ended = new AbortController()
  let redisProblem: string | undefined
  const onError = (error: Error): void => {
    redisProblem = maskSecrets(messageOf(error))
  }
  const { redis, close } = openRevivedRedis({ url: redisUrl, role: 'commands', name: 'status', onError })
  releasers.defer('Redis connection', close)
  const database = new DatabaseLooks(databaseUrl, settings)
  releasers.defer('PostgreSQL connection', () => database.close())
  const streams = new StreamLooks(redis, settings)

  let state: LiveState = {
    servers: { postgres: describePostgres(databaseUrl), redis: describeRedis(redisUrl) },
    streams: NOT_LOOKED,
    database: NOT_LOOKED,
    service: 'Service: looking',
    nowMs: Date.now(),
  }
  const screen = new LiveScreen(process.stdout, paintFor(process.stdout))
  const change = (changed: Partial<LiveState>): void => {
    state = { ...state, ...changed, nowMs: Date.now() }
    screen.show(liveView(state))
  }
  releasers.defer(
    'terminal',
    takeTerminal(screen, () => ended.abort(new StopRequested('a key'))),
  )
  await untilOutputGone(async (gone) => {
    const signal = AbortSignal.any([stopping, ended.signal, gone])
    const options = { intervalMs, signal }
    // A command that is refused since there is no connection says less than the connection's own error.
    const lookAtStreams = async () => {
      if (redis.status !== 'ready' && redisProblem === undefined)
        await within(CONNECT_MAX_MS, 'Redis', whenReady(redis, signal))
      if (redis.status !== 'ready') throw new Error(redisProblem ?? 'the connection was lost')
      return streams.look()
    }
    const running = Promise.all([
      repeatLook({ ...options, look: lookAtStreams, onLook: (looked) => change({ streams: looked }) }),
      repeatLook({
        ...options,
        look: () => database.look(),
        onLook: (looked) => change({ database: looked }),
      }),
      repeatLook({
        ...options,
        look: async () => describeService(await readServiceState(service)),
        onLook: ({ value = state.service }) => change({ service: value }),
      }),
    ])
    // A look may take as long as its server is silent: nobody waits for that.
    await Promise.race([
      running,
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    ])
  })
}

/** Enters the screen. @returns what gives the terminal back; it is given back on any exit of the process, too. */
function takeTerminal(screen: LiveScreen, end: () => void): () => void {
  const { stdin, stdout } = process
  const redraw = (): void => screen.draw()
  const quit = (): never => process.exit(131)
  const stopWatching = watchKeys(stdin, { end, scroll: (lines) => screen.scroll(lines) })
  const giveBack = (): void => {
    process.off('exit', giveBack)
    process.off('SIGQUIT', quit)
    stdout.off('resize', redraw)
    screen.leave()
    stopWatching()
  }
  process.on('exit', giveBack)
  process.on('SIGQUIT', quit)
  stdout.on('resize', redraw)
  screen.enter()
  return giveBack
}
