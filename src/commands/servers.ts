import { join, resolve } from 'node:path'
import type { LoadedSettings } from '../config.ts'
import { type JoinedServers, joinServers } from '../embedded/servers.ts'
import { readServersFile } from '../embedded/servers-file.ts'
import { ObservatoryError } from '../errors.ts'
import type { Releasers } from '../lifecycle.ts'
import { isRunning } from '../process-identity.ts'
import type { Settings } from '../settings.ts'
import { endServersAfterExit } from './end-servers-after-exit.ts'

export interface ServersContext {
  /** Takes over leaving the embedded servers. */
  readonly releasers: Releasers
  /** Takes a line for each thing that is started or stopped. */
  readonly log: (line: string) => void
}

/** Where PostgreSQL and Redis are; undefined for one that was not asked for or does not run. */
export interface ServerUrls {
  readonly databaseUrl: string | undefined
  readonly redisUrl: string | undefined
}

/** Which of the two; the settings decide for each whether it is a given one or an embedded one. */
export interface WantedServers {
  readonly postgres: boolean
  readonly redis: boolean
}

/**
 * The wanted servers: those of DATABASE_URL and REDIS_URL, and embedded ones, joined or started, where these are not set.
 *
 * @throws ObservatoryError as `joinServers` does.
 */
export async function enterServers(
  { settings }: LoadedSettings,
  want: WantedServers,
  context: ServersContext,
): Promise<ServerUrls> {
  return urlsOf(settings, await joinEmbedded(settings, want, context))
}

/** Both servers. @throws ObservatoryError as `joinServers` does. */
export async function enterBothServers(
  loaded: LoadedSettings,
  context: ServersContext,
): Promise<{ readonly databaseUrl: string; readonly redisUrl: string }> {
  const { databaseUrl, redisUrl } = await enterServers(loaded, { postgres: true, redis: true }, context)
  return { databaseUrl: started(databaseUrl, 'DATABASE_URL'), redisUrl: started(redisUrl, 'REDIS_URL') }
}

/** PostgreSQL alone. @throws ObservatoryError as `joinServers` does. */
export async function enterPostgres(loaded: LoadedSettings, context: ServersContext): Promise<string> {
  const { databaseUrl } = await enterServers(loaded, { postgres: true, redis: false }, context)
  return started(databaseUrl, 'DATABASE_URL')
}

/** The servers as they are now: embedded ones are joined when they run, and not started when they do not. */
export async function findServers(
  { settings }: LoadedSettings,
  context: ServersContext,
): Promise<ServerUrls> {
  const { postgres, redis } = await readServersFile(join(settings.dataDir, 'servers.json'))
  const running = {
    postgres: postgres !== undefined && isRunning(postgres),
    redis: redis !== undefined && isRunning(redis),
  }
  return urlsOf(settings, await joinEmbedded(settings, running, context))
}

/** What to say when {@link findServers} did not find a server. */
export function notRunning(settings: Settings, name: 'PostgreSQL' | 'Redis'): ObservatoryError {
  const variable = name === 'PostgreSQL' ? 'DATABASE_URL' : 'REDIS_URL'
  return new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `no embedded ${name} runs in ${resolve(settings.dataDir)}, and ${variable} is not set: start one by ` +
      '"observatory quickstart" or "observatory serve", or set it',
  )
}

async function joinEmbedded(
  settings: Settings,
  want: WantedServers,
  { releasers, log }: ServersContext,
): Promise<JoinedServers | undefined> {
  const postgres = want.postgres && settings.databaseUrl === undefined
  const redis = want.redis && settings.redisUrl === undefined
  if (!postgres && !redis) return undefined
  const { dataDir, embeddedPostgresBin: postgresBin } = settings
  const disarm = endServersAfterExit(dataDir)
  try {
    const servers = await joinServers({ dataDir, postgres, redis, postgresBin, log })
    releasers.defer('embedded servers', () => servers.leave().then(disarm))
    return servers
  } catch (error) {
    disarm()
    throw error
  }
}

function urlsOf(settings: Settings, servers: JoinedServers | undefined): ServerUrls {
  return {
    databaseUrl: settings.databaseUrl ?? servers?.databaseUrl,
    redisUrl: settings.redisUrl ?? servers?.redisUrl,
  }
}

function started(url: string | undefined, setting: string): string {
  if (url !== undefined) return url
  throw new ObservatoryError(
    'ERR_SERVER_UNREACHABLE',
    `the embedded server did not start; set ${setting} to one that runs`,
  )
}
