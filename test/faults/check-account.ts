import type { Redis } from 'ioredis'
import { TELEMETRY_SIGNALS } from '../../src/models/telemetry-signal.ts'
import type { Stored } from './check-stored.ts'
import { GROUP } from './fault.ts'
import type { Oracle } from './oracle.ts'

/** Where every accepted entry is. The five add up to `accepted`, or something is wrong. */
export interface Account {
  readonly accepted: number
  readonly stored: number
  readonly pending: number
  readonly unread: number
  /** Lost by Redis in a fault that may, listed as at risk before it and gone from Redis after it. */
  readonly lostByRedis: number
  /** In none of these places, by id. */
  readonly missing: readonly string[]
}

/** Looks for every accepted entry: in the tables, in the group, or among those that Redis lost. */
export async function checkAccount(
  oracle: Oracle,
  stored: Stored,
  { redis, streamPrefix }: { readonly redis: Redis; readonly streamPrefix: string },
): Promise<Account> {
  const open = new Map<string, 'pending' | 'unread'>()
  for (const signal of TELEMETRY_SIGNALS) {
    const stream = `${streamPrefix}:${signal}`
    for (const [id] of await pendingOf(redis, stream)) open.set(`${signal} ${id}`, 'pending')
    for (const id of await unreadOf(redis, stream)) open.set(`${signal} ${id}`, 'unread')
  }
  const account = { accepted: 0, stored: 0, pending: 0, unread: 0, lostByRedis: 0 }
  const missing: string[] = []
  for (let number = 0; number < oracle.size; number += 1) {
    const known = oracle.of(number)
    if (known?.fate !== 'accepted' && !stored.complete.has(number)) continue
    account.accepted += 1
    const where = open.get(`${known?.signal} ${known?.id}`)
    if (stored.complete.has(number)) account.stored += 1
    else if (where !== undefined) account[where] += 1
    else if (known?.mayMiss) account.lostByRedis += 1
    else missing.push(`${known?.signal} ${known?.id} (entry ${number})`)
  }
  return { ...account, missing }
}

const PAGE = 10_000

async function pendingOf(redis: Redis, stream: string): Promise<[string, string][]> {
  return (await redis.xpending(stream, GROUP, '-', '+', PAGE)) as [string, string][]
}

async function unreadOf(redis: Redis, stream: string): Promise<string[]> {
  const groups = (await redis.xinfo('GROUPS', stream)) as unknown[][]
  const group = groups.find((fields) => fields[fields.indexOf('name') + 1] === GROUP)
  const last = String(group?.[group.indexOf('last-delivered-id') + 1] ?? '0-0')
  return (await redis.xrange(stream, `(${last}`, '+', 'COUNT', PAGE)).map(([id]) => id)
}
