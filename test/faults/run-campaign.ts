import { Random } from '../../src/demo/random.ts'
import type { CampaignOptions } from './campaign-options.ts'
import { DeadlineMissed } from './deadline.ts'
import type { Fault } from './fault.ts'
import { finish } from './finish.ts'
import type { Report } from './report.ts'
import { allReady, openStage, reviveAll, type Stage } from './stage.ts'
import { Tally } from './tally.ts'
import { MomentMissed } from './trap.ts'

/** More in a row than this, and something is so wrong that going on would tell nothing. */
const FAILURES_MAX = 5

/**
 * Strikes faults for as long as asked, in rounds: each round strikes every fault once, in an order drawn from the seed. Then checks
 * everything. What the product does wrong ends in the report, never in an exception.
 */
export async function runCampaign(options: CampaignOptions): Promise<Report> {
  const stage = await openStage(options)
  try {
    const faults = options.faults.filter(
      ({ needsOwnServers }) => !needsOwnServers || stage.campaign.servers.own,
    )
    const tally = new Tally(faults, stage.statistics, stage.campaign.oracle)
    const failures: string[] = []
    const random = new Random(options.seed)
    const endAt = performance.now() + options.durationMs
    const isDone = () => tally.all.every(({ struck }) => struck >= options.strikes)
    while (!isDone() && performance.now() < endAt && failures.length < FAILURES_MAX) {
      for (const fault of shuffled(faults, random)) {
        if (tally.of(fault).struck >= options.strikes) continue
        if (performance.now() >= endAt || failures.length >= FAILURES_MAX) break
        options.signal.throwIfAborted()
        const failure = await strike(stage, fault, tally)
        if (failure !== undefined) failures.push(failure)
      }
    }
    return await finish(stage, options, { tally: tally.all, failures })
  } finally {
    await stage.close()
  }
}

/** @returns what the product did wrong, or undefined. */
async function strike(stage: Stage, fault: Fault, tally: Tally): Promise<string | undefined> {
  const { campaign } = stage
  const counts = tally.of(fault)
  const startedAt = performance.now()
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
  try {
    const struck = await tally.around(fault, async () => {
      const strikeNow = () => fault.strike(campaign)
      const hit = await (fault.loses ? campaign.exporter.heldUp(strikeNow) : strikeNow())
      await allReady(campaign)
      return hit
    })
    const { detail, hits } = typeof struck === 'string' ? { detail: struck, hits: 1 } : struck
    counts.struck += hits
    counts.details.push(detail)
    campaign.tell(`${fault.name}: ${detail} (${seconds()})`)
    return undefined
  } catch (error) {
    campaign.signal.throwIfAborted()
    if (error instanceof MomentMissed) {
      counts.missed += 1
      campaign.tell(`${fault.name}: missed, ${error.message} (${seconds()})`)
      await reviveAll(campaign)
      return undefined
    }
    const message = error instanceof DeadlineMissed ? error.message : String((error as Error).stack ?? error)
    const failure = `${fault.name}, strike ${counts.struck + counts.missed + 1}: ${message}`
    campaign.tell(`FAILED ${failure}`)
    await reviveAll(campaign)
    return failure
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
