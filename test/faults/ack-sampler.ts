import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Random } from '../../src/demo/random.ts'
import { formatEntryId, parseEntryId } from '../../src/models/stream-entry.ts'
import { ledgerNumber } from '../../src/writers/ledger.ts'
import { unpackEntries } from '../../src/writers/packed-entries.ts'
import { type Campaign, GROUP } from './fault.ts'

const PAUSE_MS = 400
const SAMPLE = 20

/**
 * Which of the newest entries are delivered and no longer pending: acknowledged, then. In one step, or an entry could be delivered and
 * acknowledged between two looks.
 */
const ACKED = `
local acked = {}
if redis.call('EXISTS', KEYS[1]) == 0 then return acked end
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end
  if group.name == ARGV[1] then
    for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], group['last-delivered-id'], '-', 'COUNT', ARGV[2])) do
      if #redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1) == 0 then acked[#acked + 1] = entry[1] end
    end
  end
end
return acked`

/** Draws entries that Redis says are acknowledged, while faults strike, and asks PostgreSQL at once whether they are committed. */
export class AckSampler {
  readonly #campaign: Campaign
  readonly #random: Random
  readonly #exempt = new Set<string>()
  #isStopped = false
  readonly #running: Promise<void>
  sampled = 0
  readonly violations: string[] = []

  constructor(campaign: Campaign, random: Random) {
    this.#campaign = campaign
    this.#random = random
    this.#running = this.#run()
  }

  /** Entries that somebody else took off the pending list: no acknowledgement of the product's. */
  exempt(stream: string, ids: readonly string[]): void {
    for (const id of ids) this.#exempt.add(`${stream} ${id}`)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      // Servers that are away right now tell nothing; that is no finding.
      await this.#sample().catch(() => undefined)
      await sleep(PAUSE_MS)
    }
  }

  async #sample(): Promise<void> {
    const { redis, streamPrefix, query } = this.#campaign
    const stream = `${streamPrefix}:${this.#random.pick(['logs', 'logs', 'traces', 'metrics'])}`
    const depth = this.#random.pick([50, 500])
    const acked = await ackedEntries(redis, stream, depth)
    const ids = acked.filter(() => this.#random.chance(SAMPLE / Math.max(SAMPLE, acked.length)))
    if (ids.length === 0) return
    const rows = await query<{ entries: Buffer }>(
      `select entries from ingest_ledger
       where stream = $1 and ids && (select range_agg(numrange(id, id, '[]')) from unnest($2::numeric[]) as id)`,
      [stream, ids.map((id) => ledgerNumber(parseEntryId(id)))],
    )
    const listed = new Set(
      rows.flatMap(({ entries }) => unpackEntries(entries).map(({ id }) => formatEntryId(id))),
    )
    this.sampled += ids.length
    for (const id of ids) {
      if (!listed.has(id) && !this.#exempt.has(`${stream} ${id}`)) this.violations.push(`${stream} ${id}`)
    }
  }
}

async function ackedEntries(redis: Redis, stream: string, depth: number): Promise<string[]> {
  return (await redis.eval(ACKED, 1, stream, GROUP, depth)) as string[]
}
