import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Redis } from 'ioredis'
import { messageOf } from '../errors.ts'
import { sleep } from '../lifecycle.ts'
import { isRunning, ownIdentity } from '../process-identity.ts'
import { replyStartsWith } from './consumer-group.ts'

/** A lease that is not renewed for this long is free. */
export const LEASE_MS = 15_000
const RENEW_MS = 5_000
/** Redis may be silent while a process stops. An unreleased lease ends by itself, so it is not worth a longer wait. */
const RELEASE_MAX_MS = 2_000
/** More processes than this on one host are given names in this range anyway: leases only keep names apart. */
const MAX_SLOTS = 1024

/** Renews the lease if it is still ours, or takes it back if nobody has it. PEXPIRE works when the memory is full, SET does not. */
const RENEW = `
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if holder then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`
const TAKE_OVER = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

/**
 * A consumer name of its own for this process: host name plus the lowest free slot, held by a lease in Redis.
 *
 * The point is that a restarted process gets the name it had, and with it the entries that were pending for it, at once: a lease whose holder
 * was a process of this machine that no longer runs is taken over without waiting. Two holders of one name, which takes
 * a Redis that was away for longer than the lease, are safe: the ledger keeps what both ingest single.
 */
export class ConsumerLease {
  readonly name: string
  readonly #redis: Redis
  readonly #options: LeaseOptions
  readonly #identity = ownHolder()
  readonly #ended = new AbortController()
  readonly #renewing: Promise<void>

  private constructor(redis: Redis, name: string, options: LeaseOptions) {
    this.name = name
    this.#redis = redis
    this.#options = options
    this.#renewing = this.#renew()
  }

  /** Takes the lowest free slot, or the name that is asked for whoever has it. @throws when Redis does not answer. */
  static async acquire(redis: Redis, options: LeaseOptions): Promise<ConsumerLease> {
    const identity = ownHolder()
    for (let slot = 0; ; slot += 1) {
      const name = options.name ?? `${hostname()}-${slot}`
      const key = leaseKey(options, name)
      const taken =
        (await take(redis, key, identity)) ||
        (await takeOverFromTheDead(redis, key, identity)) ||
        slot === MAX_SLOTS ||
        options.name !== undefined
      if (taken) return new ConsumerLease(redis, name, options)
    }
  }

  get #key(): string {
    return leaseKey(this.#options, this.name)
  }

  /** Whether a consumer of the same group is at work: somebody renews the lease of its name. */
  async isAlive(consumer: string): Promise<boolean> {
    return (await this.#redis.exists(leaseKey(this.#options, consumer))) === 1
  }

  /** Gives the name back, within two seconds. Never fails: where Redis is away or silent, the lease ends by itself. */
  async release(): Promise<void> {
    this.#ended.abort()
    const patience = new AbortController()
    const tooLong = sleep(RELEASE_MAX_MS, patience.signal).then(() => {
      throw new Error(`no answer within ${RELEASE_MAX_MS} ms`)
    })
    try {
      await Promise.race([this.#giveBack(), tooLong])
    } catch (cause) {
      const message = `The consumer name ${this.name} was not given back (${messageOf(cause)}); its lease ends by itself`
      this.#options.onError(new Error(message, { cause }))
    } finally {
      patience.abort()
    }
  }

  async #giveBack(): Promise<void> {
    // A renewal that is under way would take the lease again.
    await this.#renewing
    if (this.#redis.status === 'ready') await this.#redis.eval(RELEASE, 1, this.#key, this.#identity)
  }

  async #renew(): Promise<void> {
    const { signal } = this.#ended
    for (;;) {
      await sleep(RENEW_MS, signal).catch(() => undefined)
      if (signal.aborted) return
      try {
        const held = await this.#redis.eval(RENEW, 1, this.#key, this.#identity, LEASE_MS)
        if (held !== 1)
          this.#options.onError(new Error(`Another process took the consumer name ${this.name}`))
      } catch (error) {
        this.#options.onError(error)
      }
    }
  }
}

interface LeaseOptions {
  readonly prefix: string
  readonly group: string
  /** A name of the user's choice. */
  readonly name?: string | undefined
  readonly onError: (error: unknown) => void
}

function leaseKey({ prefix, group }: LeaseOptions, name: string): string {
  return `${prefix}:consumer:${group}:${name}`
}

async function take(redis: Redis, key: string, identity: string): Promise<boolean> {
  try {
    return (await redis.set(key, identity, 'PX', LEASE_MS, 'NX')) === 'OK'
  } catch (error) {
    if (!replyStartsWith(error, 'OOM')) throw error
    // Only ingest can make room again. Without a lease the name may come to have two holders, which the ledger keeps safe.
    return (await redis.exists(key)) === 0
  }
}

async function takeOverFromTheDead(redis: Redis, key: string, identity: string): Promise<boolean> {
  const holder = await redis.get(key)
  if (holder === null || !diedHere(holder)) return false
  try {
    return (await redis.eval(TAKE_OVER, 1, key, holder, identity, LEASE_MS)) === 1
  } catch (error) {
    if (!replyStartsWith(error, 'OOM')) throw error
    return true
  }
}

/** Whether the holder was a process of this machine and pid namespace, and is no more. */
function diedHere(holder: string): boolean {
  const [namespace, pid, start = ''] = holder.split(' ')
  return namespace === ownNamespace() && !isRunning({ pid: Number(pid), start })
}

/** `namespace pid start`: the same for as long as this process lives, and for no other process ever. */
function ownHolder(): string {
  const { pid, start } = ownIdentity()
  return `${ownNamespace()} ${pid} ${start}`
}

/**
 * A pid means nothing outside its namespace, and the first namespace has the same name on every machine: the boot tells them apart.
 * Where neither can be told (no /proc), the host name stands for them.
 */
function ownNamespace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}
