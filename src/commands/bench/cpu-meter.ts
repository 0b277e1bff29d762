import type { Redis } from 'ioredis'
import type pg from 'pg'
import { commandLineOf } from '../../process-identity.ts'
import { childrenOf, ownTicks, parentOf, ticksPerSecond, waitedForTicks } from './proc-stat.ts'

/** Processor time so far, in microseconds, of what is measured; undefined where it cannot be told. */
export interface CpuTimes {
  readonly node: number | undefined
  readonly postgres: number | undefined
  readonly redis: number | undefined
}

/**
 * Reads processor times: of processes and of PostgreSQL with all of its processes from /proc, where they run on this machine; of Redis
 * from its own INFO, which is the same count and answers from afar, too.
 */
export class CpuMeter {
  readonly #redis: Redis
  readonly #microsPerTick: number
  /** Undefined when it is on another machine. */
  readonly #postmaster: number | undefined
  /** The connection that the bench itself asks by: its time is not the service's. */
  readonly #ownBackend: number

  private constructor(
    redis: Redis,
    ticks: number,
    postgres: { postmaster: number | undefined; own: number },
  ) {
    this.#redis = redis
    this.#microsPerTick = 1_000_000 / ticks
    this.#postmaster = postgres.postmaster
    this.#ownBackend = postgres.own
  }

  static async create(redis: Redis, client: pg.Client): Promise<CpuMeter> {
    const { rows } = await client.query<{ pid: number; database: string }>(
      'select pg_backend_pid() as pid, current_database() as database',
    )
    const { pid: own = 0, database = '' } = rows[0] ?? {}
    // Its title names the database, and no other database is called like the bench's.
    const isHere = database !== '' && commandLineOf(own).includes(database)
    return new CpuMeter(redis, await ticksPerSecond(), {
      own,
      postmaster: isHere ? parentOf(own) : undefined,
    })
  }

  /** What cannot be measured here, a sentence each. */
  get gaps(): readonly string[] {
    const gaps: string[] = []
    if (ownTicks(process.pid) === undefined)
      gaps.push('CPU of Node.js is left out: this machine has no /proc')
    if (this.#postmaster === undefined)
      gaps.push('CPU of PostgreSQL is left out: its processes are not in /proc of this machine')
    return gaps
  }

  /** @param pids of the processes counted as Node.js. */
  async read(pids: readonly number[]): Promise<CpuTimes> {
    const redis = await this.#redisMicros()
    return { node: this.#micros(pids.map(ownTicks)), postgres: this.#postgresMicros(), redis }
  }

  /** The postmaster, what ended and was waited for by it, and its processes that run. */
  #postgresMicros(): number | undefined {
    const postmaster = this.#postmaster
    if (postmaster === undefined) return undefined
    const processes = childrenOf(postmaster).filter((pid) => pid !== this.#ownBackend)
    // One that ends while they are read is missed for a moment, which the next reading makes good.
    const running = processes.map((pid) => ownTicks(pid) ?? 0)
    return this.#micros([ownTicks(postmaster), waitedForTicks(postmaster), ...running])
  }

  #micros(ticks: readonly (number | undefined)[]): number | undefined {
    let sum = 0
    for (const each of ticks) {
      if (each === undefined) return undefined
      sum += each
    }
    return sum * this.#microsPerTick
  }

  async #redisMicros(): Promise<number | undefined> {
    const info = await this.#redis.info('cpu').catch(() => '')
    const used = ['used_cpu_sys', 'used_cpu_user'].map((name) =>
      Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]),
    )
    const seconds = used.reduce((sum, each) => sum + each, 0)
    return Number.isNaN(seconds) ? undefined : seconds * 1_000_000
  }
}

/** Microseconds of processor time a row between two readings. */
export function cpuPerRow(before: CpuTimes, after: CpuTimes, rows: number): CpuTimes {
  const perRow = (name: keyof CpuTimes): number | undefined => {
    const [from, to] = [before[name], after[name]]
    return from === undefined || to === undefined || rows <= 0 ? undefined : (to - from) / rows
  }
  return { node: perRow('node'), postgres: perRow('postgres'), redis: perRow('redis') }
}
