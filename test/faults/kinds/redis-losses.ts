import { appendFile, copyFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../deadline.ts'
import { type Campaign, type Fault, streamOf } from '../fault.ts'
import type { OwnServers } from '../servers.ts'
import { MomentMissed } from '../trap.ts'

/*
 * Faults in which Redis loses what it had acknowledged. The ids at risk are listed before the fault; afterwards Redis is asked which of
 * them it still has; only those it does not may be missing in the end.
 */

/** A power cut: Redis is killed, and of the append-only file only what was written a moment ago is left. */
const powerCut: Fault = {
  name: 'Redis SIGKILL with AOF everysec',
  loses: true,
  needsOwnServers: true,
  causes: ['redisErrors'],
  async strike(campaign) {
    const own = ownOf(campaign)
    await rewriteAof(campaign)
    const file = await incrementalFile(own)
    const { size: synced } = await stat(file)
    const mark = campaign.oracle.size
    // The window of everysec is a second, two at worst.
    await sleep(campaign.random.integer(200, 1200))
    return withRisk(campaign, mark, async () => {
      await own.killRedis()
      const { size } = await stat(file)
      const kept = synced + Math.floor((size - synced) * campaign.random.next())
      await truncate(file, kept)
      await own.startRedis()
      return `${size - kept} bytes of the log lost`
    })
  },
}

/** Redis comes back from a dump that somebody took a while ago. */
const olderDump: Fault = {
  name: 'Redis restart with an older dump',
  loses: true,
  needsOwnServers: true,
  causes: ['redelivered', 'duplicates', 'redisErrors'],
  async strike(campaign) {
    const own = ownOf(campaign)
    await campaign.load.pause()
    const mark = campaign.oracle.size
    await campaign.redis.save()
    const dump = join(own.folder, 'older-dump.rdb')
    await copyFile(join(own.folder, 'redis', 'dump.rdb'), dump)
    campaign.load.resume()
    await sleep(campaign.random.integer(500, 3000))
    return withRisk(campaign, mark, async () => {
      await own.killRedis()
      await restoreDump(own, dump)
      await own.startRedis()
      return 'restored'
    })
  },
}

const flushAll: Fault = {
  name: 'FLUSHALL',
  loses: true,
  needsOwnServers: true,
  causes: [],
  async strike(campaign) {
    // Everything that is not committed is at risk, however old.
    return withRisk(campaign, 0, async () => {
      await campaign.redis.flushall()
      return 'emptied'
    })
  },
}

/** Writes are refused for a while, reads go on: what is not accepted is the producer's to send again. */
const maxmemory: Fault = {
  name: 'maxmemory reached',
  needsOwnServers: true,
  causes: [],
  async strike(campaign) {
    const { redis, oracle, random, signal } = campaign
    const refusedBefore = oracle.counts().refused
    await redis.config('SET', 'maxmemory', '1mb')
    try {
      const refused = async () => (oracle.counts().refused > refusedBefore ? true : undefined)
      await waitFor(refused, { what: 'XADD being refused', timeoutMs: 10_000, signal })
      await sleep(random.integer(500, 6000))
    } finally {
      await redis.config('SET', 'maxmemory', '0')
    }
    await campaign.settle()
    return `${oracle.counts().refused - refusedBefore} XADD refused`
  },
}

/** Redis is killed and loses nothing, as every write was on disk before it was answered. */
const killAlways: Fault = {
  name: 'Redis SIGKILL',
  needsOwnServers: true,
  causes: ['redisErrors'],
  async strike(campaign) {
    const own = ownOf(campaign)
    await own.killRedis()
    await sleep(campaign.random.integer(0, 2000))
    await own.startRedis()
    await untilAnswering(campaign)
    await campaign.settle()
    return 'killed'
  },
}

/** How long no worker runs before Redis loses something, so that there is something unread to lose. Shorter than a lease. */
const HELD_UP_MS = [300, 2000] as const

/** Stops all workers while `work` runs, in half of the strikes: else they are so fast that nothing is left to lose. */
async function holdingUp<T>({ random, workers }: Campaign, work: () => Promise<T>): Promise<T> {
  if (random.chance(0.5)) return work()
  for (const worker of workers) worker.suspend()
  try {
    await sleep(random.integer(...HELD_UP_MS))
    return await work()
  } finally {
    for (const worker of workers) worker.resume()
  }
}

/** Lists what is at risk, lets it happen, and asks Redis what it still has of it. */
async function withRisk(campaign: Campaign, mark: number, happen: () => Promise<string>): Promise<string> {
  const { oracle, load } = campaign
  const told = await holdingUp(campaign, async () => {
    await load.pause()
    const atRisk = oracle.open().filter((number) => number >= mark)
    await writeDown(campaign, { atRisk: atRisk.map((number) => nameOf(campaign, number)) })
    const what = await happen()
    await untilAnswering(campaign)
    const lost = await noteLost(campaign, atRisk)
    return `${what}; ${atRisk.length} at risk, of which Redis lost ${lost}`
  })
  load.resume()
  // New entries must get through; those that were lost are not waited for.
  await sleep(300)
  await campaign.settle()
  return told
}

/** Beside the logs of the workers, so that a run with --keep-logs can be looked into. */
async function writeDown({ workers }: Campaign, what: Readonly<Record<string, unknown>>): Promise<void> {
  const file = join(dirname(workers[0]?.logFile ?? ''), 'at-risk.ndjson')
  await appendFile(file, `${JSON.stringify({ at: new Date(), ...what })}\n`)
}

function nameOf({ oracle }: Campaign, number: number): string {
  const known = oracle.of(number)
  return `${known?.signal} ${known?.id}`
}

/** Asks Redis which of these it still has, and tells the oracle of the others. @returns how many those are. */
async function noteLost(campaign: Campaign, atRisk: readonly number[]): Promise<number> {
  const { oracle, redis } = campaign
  const lost: number[] = []
  for (let from = 0; from < atRisk.length; from += 500) {
    const numbers = atRisk.slice(from, from + 500)
    const pipeline = redis.pipeline()
    for (const number of numbers) {
      const known = oracle.of(number)
      const id = known?.id ?? ''
      pipeline.xrange(streamOf(campaign, known?.signal ?? 'logs'), id, id)
    }
    const replies = (await pipeline.exec()) ?? []
    replies.forEach(([error, entries], index) => {
      if (error !== null) throw error
      if ((entries as unknown[]).length > 0) return
      const number = numbers[index] ?? -1
      lost.push(number)
      oracle.noteLostByRedis(number)
    })
  }
  await writeDown(campaign, { lost: lost.map((number) => nameOf(campaign, number)) })
  return lost.length
}

/** The connection notices a moment later that the server had gone. */
async function untilAnswering({ redis, signal }: Campaign): Promise<void> {
  const answers = async () => (await redis.ping().catch(() => undefined)) && true
  await waitFor(answers, { what: 'Redis answering', timeoutMs: 30_000, signal })
}

function ownOf({ servers }: Campaign): OwnServers {
  if (servers.own === undefined) throw new MomentMissed('These servers may not be stopped')
  return servers.own
}

async function rewriteAof({ redis, signal }: Campaign): Promise<void> {
  await redis.bgrewriteaof()
  const done = async () =>
    /aof_rewrite_in_progress:0\r?\naof_rewrite_scheduled:0/.test(await redis.info('persistence'))
      ? true
      : undefined
  await waitFor(done, { what: 'BGREWRITEAOF', timeoutMs: 30_000, signal })
}

const AOF = 'appendonly.aof'

async function incrementalFile(own: OwnServers): Promise<string> {
  const folder = join(own.folder, 'redis', 'appendonlydir')
  const manifest = await readFile(join(folder, `${AOF}.manifest`), 'utf8')
  const name = /file (\S+) seq \d+ type i/.exec(manifest)?.[1]
  if (name === undefined) throw new Error(`No incremental file in ${manifest}`)
  return join(folder, name)
}

/** The dump becomes the base of an append-only file that has nothing after it. */
async function restoreDump(own: OwnServers, dump: string): Promise<void> {
  const folder = join(own.folder, 'redis', 'appendonlydir')
  for (const name of await readdir(folder)) await rm(join(folder, name))
  await copyFile(dump, join(folder, `${AOF}.1.base.rdb`))
  await writeFile(join(folder, `${AOF}.manifest`), `file ${AOF}.1.base.rdb seq 1 type b\n`)
}

export const LOSING_FAULTS = [powerCut, olderDump, flushAll] as const
export const REDIS_FAULTS = [maxmemory] as const
/** Only where every write is on disk before it is answered. */
export const ALWAYS_FAULTS = [killAlways] as const
