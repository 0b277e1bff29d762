import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../deadline.ts'
import type { Campaign, Fault } from '../fault.ts'
import type { Link } from '../proxy-server.ts'
import type { Worker } from '../worker.ts'

/*
 * Peers that fall silent: nothing is closed, nothing answers. A worker must notice by itself, give the connection up, and end what its
 * session on the other side still holds.
 */

/** PostgreSQL's keepalives (30 + 3 × 10 s) find out after this long that the other end is gone; on loopback the proxy does it for them. */
const KEEPALIVE_MS = 60_000
/** Longer than any watchdog of the product's. */
const NOTICED_MAX_MS = 120_000
/** A consumer's lease (15 s) and the time that its entries must lie (1 s) are over after this long. */
const FROZEN_MS = 18_000

/** Waiting for a worker to notice takes a minute: so all of them are struck at once, each in a transaction of its own. */
function blackHole(point: 'copy-data' | 'commit'): Fault {
  return {
    name: `black hole during ${point === 'commit' ? 'COMMIT' : 'COPY'}`,
    causes: ['retries'],
    async strike(campaign) {
      // The server commits what it got, or it never hears of it: only the answer is lost, or all of it.
      const losesAnswerOnly = point === 'commit' && campaign.random.chance(0.5)
      const startedAt = performance.now()
      const moments = await allOf(
        campaign.workers.map((worker) =>
          worker.postgres.traps.spring(
            (moment) => moment.point === (losesAnswerOnly ? 'committed' : point),
            async () => 'hole',
          ),
        ),
      )
      const links = moments.map(({ session }) => session.link)
      const seconds = await untilGivenUp(campaign, links, startedAt)
      const what = losesAnswerOnly ? 'answers lost' : 'nothing arrived'
      return { hits: links.length, detail: `${links.length} workers, ${what}, noticed after ${seconds} s` }
    },
  }
}

/** The worker's connections to Redis are half open: its reads never return. */
const halfOpen: Fault = {
  name: 'half-open sockets to Redis',
  causes: ['redelivered', 'redisErrors'],
  async strike(campaign) {
    const startedAt = performance.now()
    const struck = twoOf(campaign)
    const links = struck.flatMap(({ redis }) => [...redis.links])
    // A reply with entries is lost on one connection, and all others go silent with it.
    await allOf(
      struck.map(({ redis }) =>
        redis.traps.spring(
          ({ point }) => point === 'entries',
          async () => {
            for (const each of redis.links) each.isHole = true
            return 'hole'
          },
        ),
      ),
    )
    const seconds = await untilGivenUp(campaign, links, startedAt)
    return { hits: struck.length, detail: `${struck.length} workers, noticed after ${seconds} s` }
  },
}

/** Waits for all, also when one fails: no trap is left to spring later. */
async function allOf<T>(moments: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(moments)
  return Promise.all(moments)
}

/** Two different workers; the others carry on. */
function twoOf(campaign: Campaign): Worker[] {
  const first = campaign.workers.indexOf(campaign.pickWorker())
  return [...new Set([0, 1].map((next) => (first + next) % campaign.workers.length))].flatMap(
    (slot) => campaign.workers[slot] ?? [],
  )
}

/**
 * Waits until the workers close their ends of the silent connections and all is committed. The servers' ends stay open meanwhile, though
 * no longer than keepalives would leave them.
 *
 * @returns after how many seconds the last one was noticed.
 */
async function untilGivenUp(campaign: Campaign, links: readonly Link[], startedAt: number): Promise<number> {
  const keepalive = setTimeout(() => links.forEach(({ upstream }) => void upstream.destroy()), KEEPALIVE_MS)
  try {
    await waitFor(async () => (links.every(({ client }) => client.closed) ? true : undefined), {
      what: 'Giving up connections that say nothing',
      timeoutMs: NOTICED_MAX_MS,
      signal: campaign.signal,
      hint: () => `See ${campaign.workers.map(({ logFile }) => logFile).join(', ')}`,
    })
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    await campaign.settle(NOTICED_MAX_MS)
    return seconds
  } finally {
    clearTimeout(keepalive)
    for (const { client, upstream } of links) {
      upstream.destroy()
      client.destroy()
    }
  }
}

/** Frozen until others have taken over what it holds, then woken in the middle of what it did. */
const frozen: Fault = {
  name: 'SIGSTOP beyond the claim time, then SIGCONT',
  causes: ['redelivered', 'claimed', 'duplicates'],
  async strike(campaign) {
    const struck = twoOf(campaign)
    const points = await allOf(struck.map((worker) => freeze(campaign, worker)))
    try {
      await sleep(FROZEN_MS, undefined, { signal: campaign.signal })
      // The others bring it to an end without it, though it may hold a transaction open.
      await campaign.settle()
    } finally {
      for (const worker of struck) worker.resume()
    }
    for (const worker of struck) await worker.ready()
    await campaign.settle()
    return { hits: struck.length, detail: `at ${points.join(' and at ')}` }
  },
}

async function freeze({ random }: Campaign, worker: Worker): Promise<string> {
  const point = random.pick(['copy-data', 'commit', 'committed', 'xack'])
  const stop = async () => {
    worker.suspend()
    return 'pass' as const
  }
  const { traps } = worker.redis
  if (point === 'xack') await traps.spring((moment) => moment.point === point, stop)
  else await worker.postgres.traps.spring((moment) => moment.point === point, stop)
  return point
}

export const SILENCE_FAULTS = [blackHole('copy-data'), blackHole('commit'), halfOpen, frozen] as const
