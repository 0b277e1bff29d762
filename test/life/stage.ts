import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { createPool } from '../../src/pool.ts'
import { INDEX_BUILD_LOCK } from '../../src/retention/build-session.ts'
import { tryToLockRollups } from '../../src/retention/rollups/rollup-lock.ts'
import { OwnServers } from '../faults/servers.ts'
import { endWith, observatory } from '../helpers/observatory.ts'

export const STREAM_PREFIX = 'telemetry'

/** Servers, a folder for archives, and a service that can be started and stopped. */
export interface Stage {
  readonly pool: pg.Pool
  readonly redis: Redis
  readonly archiveFolder: string
  /** Of a command. */
  readonly env: Readonly<Record<string, string>>
  /** Starts `observatory serve`. @returns its URL. */
  startService(): Promise<string>
  /** Stops it when it has written what it read. */
  stopService(): Promise<void>
  /** Keeps every process from making rollups, building indexes and freezing. @returns what lets them again. */
  holdUpMaintenance(): Promise<() => Promise<void>>
  close(): Promise<void>
}

const HTTP_PORT = 14_318

export async function openStage(settings: Readonly<Record<string, string>>): Promise<Stage> {
  const servers = await OwnServers.start('everysec')
  const { databaseUrl, redisUrl } = await servers.urls()
  const archiveFolder = join(servers.folder, 'archives')
  await mkdir(archiveFolder)
  const env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    STREAM_PREFIX,
    ARCHIVE_URL: archiveFolder,
    ACCEPT_PAST_DAYS: '3650',
    LOG_LEVEL: 'error',
    ...settings,
  }
  const pool = createPool({ databaseUrl, applicationName: 'life of data', max: 4, onError: () => undefined })
  const redis = new Redis(redisUrl)
  let service: ReturnType<typeof observatory> | undefined
  const stopService = async () => {
    if (service !== undefined) await endWith(service, 'SIGTERM')
    service = undefined
  }
  return {
    pool,
    redis,
    archiveFolder,
    env,
    stopService,
    async startService() {
      const url = `http://127.0.0.1:${HTTP_PORT}`
      service = observatory(['serve'], { ...env, HTTP_PORT: String(HTTP_PORT) })
      while (!(await isReady(url))) {
        if (service.exitCode !== null) throw new Error('the service did not start; its log is above')
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return url
    },
    async holdUpMaintenance() {
      const client = await pool.connect()
      if (!(await tryToLockRollups(client))) throw new Error('rollups are being made')
      await client.query(`select pg_advisory_lock(${INDEX_BUILD_LOCK})`)
      // Closing the connection gives them back.
      return async () => client.release(true)
    },
    async close() {
      await stopService()
      redis.disconnect()
      await pool.end()
      await servers.stop()
    },
  }
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`).catch(() => undefined)
  return response?.ok === true
}
