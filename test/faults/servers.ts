import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embeddedDatabaseUrl, startPostgres, stopPostgres } from '../../src/embedded/postgres.ts'
import { embeddedRedisUrl, startRedis } from '../../src/embedded/redis.ts'
import type { RunningServer } from '../../src/embedded/servers-file.ts'
import { waitUntilGone } from '../../src/process-identity.ts'

/** The servers that a campaign works on. Only its own can be stopped. */
export interface Servers {
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly own?: OwnServers
}

export type Fsync = 'everysec' | 'always'

const POSTGRES_SETTINGS = {
  shared_buffers: '128MB',
  max_connections: '60',
  // Each immediate stop replays what came since the last checkpoint.
  checkpoint_timeout: '1min',
  max_wal_size: '1GB',
}
const GONE_MAX_MS = 20_000

/** A PostgreSQL and a Redis in a temporary folder, on ports of their own that stay the same over restarts. */
export class OwnServers {
  readonly folder: string
  readonly #fsync: Fsync
  #postgres: RunningServer | undefined
  #redis: RunningServer | undefined

  private constructor(folder: string, fsync: Fsync) {
    this.folder = folder
    this.#fsync = fsync
  }

  static async start(fsync: Fsync): Promise<OwnServers> {
    const servers = new OwnServers(await mkdtemp(join(tmpdir(), 'observatory-faults-')), fsync)
    try {
      await servers.startPostgres()
      await servers.startRedis()
      return servers
    } catch (error) {
      await servers.stop()
      throw error
    }
  }

  async urls(): Promise<Servers> {
    return {
      databaseUrl: await embeddedDatabaseUrl(this.folder, this.#port('PostgreSQL', this.#postgres)),
      redisUrl: embeddedRedisUrl(this.#port('Redis', this.#redis)),
      own: this,
    }
  }

  async startPostgres(): Promise<void> {
    this.#postgres = await startPostgres({
      dataDir: this.folder,
      firstPort: this.#postgres?.port ?? 55_432,
      settings: POSTGRES_SETTINGS,
    })
  }

  /** Ends PostgreSQL as a power cut would, save that the disk's cache survives: no checkpoint, recovery at the next start. */
  async stopPostgresImmediately(): Promise<void> {
    await this.#end(this.#postgres, 'SIGQUIT')
  }

  async startRedis(): Promise<void> {
    this.#redis = await startRedis({
      dataDir: this.folder,
      firstPort: this.#redis?.port ?? 56_379,
      // Rewritten when a fault needs it, and not in the middle of another.
      settings: { appendfsync: this.#fsync, 'auto-aof-rewrite-percentage': '0' },
    })
  }

  async killRedis(): Promise<void> {
    await this.#end(this.#redis, 'SIGKILL')
  }

  async stop(): Promise<void> {
    if (this.#redis !== undefined) await this.killRedis().catch(() => undefined)
    if (this.#postgres !== undefined) await stopPostgres(this.#postgres)
    await rm(this.folder, { recursive: true, force: true })
  }

  async #end(server: RunningServer | undefined, signal: NodeJS.Signals): Promise<void> {
    if (server === undefined) return
    process.kill(server.pid, signal)
    if (!(await waitUntilGone(server, GONE_MAX_MS)))
      throw new Error(`Process ${server.pid} does not end by ${signal}`)
  }

  #port(name: string, server: RunningServer | undefined): number {
    if (server === undefined) throw new Error(`${name} was not started`)
    return server.port
  }
}
