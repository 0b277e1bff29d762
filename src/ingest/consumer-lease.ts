import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Redis } from 'ioredis'
import { sleep } from '../lifecycle.ts'
import { isRunning, ownIdentity } from '../process-identity.ts'

/** A lease that is not renewed for this long is free. */
const LEASE_MS = 15_000
const RENEW_MS = 5_000
/** More processes than this on one host are given names in this range anyway: leases only keep names apart. */
const MAX_SLOTS = 1024

/** Renews the lease if it is still ours, or takes it back if nobody has it. */
const RENEW = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
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
  readonly #key: string
  readonly #identity: string
  readonly #ended = new AbortController()
  readonly #renewing: Promise<void>

  private constructor(redis: Redis, held: { name: string; key: string; identity: string }, onError: OnError) {
    this.name = held.name
    this.#redis = redis
    this.#key = held.key
    this.#identity = held.identity
    this.#renewing = this.#renew(onError)
  }

  /** Takes the lowest free slot. @throws when Redis does not answer. */
  static async acquire(
    redis: Redis,
    options: { readonly prefix: string; readonly group: string; readonly onError: OnError },
  ): Promise<ConsumerLease> {
    const identity = ownHolder()
    for (let slot = 0; ; slot += 1) {
      const name = `${hostname()}-${slot}`
      const key = `${options.prefix}:consumer:${options.group}:${name}`
      const taken =
        (await redis.set(key, identity, 'PX', LEASE_MS, 'NX')) === 'OK' ||
        (await takeOverFromTheDead(redis, key, identity)) ||
        slot === MAX_SLOTS
      if (taken) return new ConsumerLease(redis, { name, key, identity }, options.onError)
    }
  }

  /** Gives the name back. */
  async release(): Promise<void> {
    this.#ended.abort()
    await this.#renewing
    await this.#redis.eval(RELEASE, 1, this.#key, this.#identity)
  }

  async #renew(onError: OnError): Promise<void> {
    const { signal } = this.#ended
    for (;;) {
      await sleep(RENEW_MS, signal).catch(() => undefined)
      if (signal.aborted) return
      try {
        const held = await this.#redis.eval(RENEW, 1, this.#key, this.#identity, LEASE_MS)
        if (held !== 1) onError(new Error(`Another process took the consumer name ${this.name}`))
      } catch (error) {
        onError(error)
      }
    }
  }
}

type OnError = (error: unknown) => void

async function takeOverFromTheDead(redis: Redis, key: string, identity: string): Promise<boolean> {
  const holder = await redis.get(key)
  if (holder === null || !diedHere(holder)) return false
  return (await redis.eval(TAKE_OVER, 1, key, holder, identity, LEASE_MS)) === 1
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
