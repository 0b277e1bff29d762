import type { Redis } from 'ioredis'
import { ObservatoryError } from '../../errors.ts'
import { whenReady } from '../../redis.ts'
import type { OtlpDurability } from '../../settings.ts'

export interface WriteBarrierOptions {
  readonly durability: Exclude<OtlpDurability, 'memory'>
  /** A connection of its own: while it waits nothing else is answered on it. */
  readonly redis: Redis
  /** The connection that writes. */
  readonly writes: Redis
  /** A key to write to. */
  readonly key: string
}

/** An fsync each second, and one that is slow. */
const WAIT_MS = 3000

/**
 * Tells when what was written is safe. One wait serves all who ask meanwhile: WAIT and WAITAOF wait for the last write of their own connection, and for all that
 * Redis had written before it, whoever wrote it. So each round writes something itself first.
 *
 * States: *idle* → asked → *waiting* → asked again, *waiting* with the next round after it, for what was written later is not covered by this one.
 */
export class WriteBarrier {
  readonly #options: WriteBarrierOptions
  #current: Promise<void> | undefined
  #next: Promise<void> | undefined
  #losses = 0

  constructor(options: WriteBarrierOptions) {
    this.#options = options
    // Made again, a connection may lead to another server, which knows nothing of what was written.
    for (const redis of [options.redis, options.writes]) redis.on('close', this.#onLoss)
  }

  readonly #onLoss = (): void => {
    this.#losses += 1
  }

  /** To be taken before a write. */
  mark(): number {
    return this.#losses
  }

  /**
   * Resolves when all that was written since `mark` and before this call is safe.
   *
   * @throws when it is not in time, or a connection was lost since.
   */
  async passed(mark: number): Promise<void> {
    this.#next ??= this.#round(this.#current)
    await this.#next
    if (this.#losses !== mark) throw new Error('a connection to Redis was lost meanwhile')
  }

  async #round(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => undefined)
    this.#current = this.#next
    this.#next = undefined
    const { durability, redis, key } = this.#options
    const [, waited] = await Promise.all([
      redis.set(key, '', 'EX', 60),
      durability === 'disk' ? redis.call('WAITAOF', 1, 0, WAIT_MS) : redis.wait(1, WAIT_MS),
    ])
    const [count] = [waited].flat()
    if (Number(count) < 1) throw new Error(NOT_SAFE[durability])
  }

  /**
   * Whether the server can wait so.
   *
   * @throws ObservatoryError ERR_SERVER_UNSUITABLE where it is too old.
   */
  async check(stopping: AbortSignal): Promise<void> {
    await whenReady(this.#options.redis, stopping)
    if (this.#options.durability !== 'disk') return
    const [info] = (await this.#options.redis.command('INFO', 'waitaof')) as unknown[]
    if (info) return
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      'OTLP_DURABILITY=disk needs WAITAOF, which Redis has from version 7.2 on: use a newer one, or appendfsync always with OTLP_DURABILITY=memory',
    )
  }

  close(): void {
    for (const redis of [this.#options.redis, this.#options.writes]) redis.off('close', this.#onLoss)
  }
}

const NOT_SAFE: Readonly<Record<WriteBarrierOptions['durability'], string>> = {
  replica: `no replica had it within ${WAIT_MS} ms (OTLP_DURABILITY=replica)`,
  disk: `it was not on disk within ${WAIT_MS} ms (OTLP_DURABILITY=disk)`,
}
