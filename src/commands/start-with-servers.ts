import { resolve } from 'node:path'
import Fastify from 'fastify'
import type { LoadedSettings } from '../config.ts'
import { listen } from '../http/server.ts'
import type { RunContext } from '../lifecycle.ts'
import type { Logger } from '../logger.ts'
import { describePostgres } from '../postgres-connection.ts'
import { describeRedis } from '../redis-url.ts'
import { type Role, type Service, startService } from '../service.ts'
import { enterBothServers } from './servers.ts'

export interface StartOptions extends RunContext {
  readonly loaded: LoadedSettings
  readonly roles: readonly Role[]
  readonly logger: Logger
}

export interface StartedService {
  readonly service: Service
  readonly databaseUrl: string
  readonly redisUrl: string
}

/**
 * Starts a service on the servers of the settings, embedded ones where none are given. `releasers` gets what ends all of it:
 * the service first, then the embedded servers.
 *
 * @throws ObservatoryError as `joinServers` and `startService` do. An HTTP address that cannot be had is found out before
 *   any server is started.
 */
export async function startWithServers(options: StartOptions): Promise<StartedService> {
  const { loaded, roles, logger, stopping, releasers } = options
  const { settings } = loaded
  const hasEmbeddedRedis = settings.redisUrl === undefined
  await tryAddress(settings.httpHost, settings.httpPort)
  const log = (line: string): void => logger.info(line)
  if (settings.databaseUrl === undefined || settings.redisUrl === undefined) {
    log(
      `joining or starting embedded servers in ${resolve(settings.dataDir)}; a first start takes some seconds`,
    )
  }
  const urls = await enterBothServers(loaded, { releasers, log })
  stopping.throwIfAborted()
  log(`${describePostgres(urls.databaseUrl)}, ${originOf(loaded, 'DATABASE_URL')}`)
  log(`${describeRedis(urls.redisUrl)}, ${originOf(loaded, 'REDIS_URL')}`)
  if (hasEmbeddedRedis) {
    log('the embedded Redis writes to disk once a second: a crash of this machine loses what came after')
  }
  const service = await startService({
    settings: { ...settings, ...urls },
    roles,
    logger,
    stopping,
    hasEmbeddedRedis,
  })
  releasers.defer('service', () => service.stop())
  return { service, ...urls }
}

/** Listens for a moment: what `startService` would find out only after the servers were started. */
async function tryAddress(host: string, port: number): Promise<void> {
  const probe = Fastify()
  try {
    await listen(probe, { host, port })
  } finally {
    await probe.close()
  }
}

function originOf({ settings, sources }: LoadedSettings, name: 'DATABASE_URL' | 'REDIS_URL'): string {
  const source = sources[name] ?? 'default'
  if (source === 'default') return `embedded, in ${resolve(settings.dataDir)}`
  return `${name} from ${source}`
}
