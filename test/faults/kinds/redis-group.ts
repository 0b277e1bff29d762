import { setTimeout as sleep } from 'node:timers/promises'
import { TELEMETRY_SIGNALS } from '../../../src/models/telemetry-signal.ts'
import { waitFor } from '../deadline.ts'
import { type Campaign, type Fault, GROUP, streamOf } from '../fault.ts'
import { MomentMissed } from '../trap.ts'

/** The group is made again at the beginning of the stream: everything that Redis still has is delivered once more. */
const destroyGroup: Fault = {
  name: 'XGROUP DESTROY',
  causes: ['redelivered', 'duplicates'],
  async strike(campaign) {
    const signals = campaign.random.chance(0.3) ? TELEMETRY_SIGNALS : (['logs'] as const)
    for (const signal of signals) {
      const stream = streamOf(campaign, signal)
      if (Number(await campaign.redis.xgroup('DESTROY', stream, GROUP)) !== 1)
        throw new MomentMissed(`No group on ${stream}`)
    }
    for (const signal of signals) await untilCaughtUp(campaign, streamOf(campaign, signal))
    await campaign.settle()
    return signals.join(', ')
  },
}

/** In one step, so that what is dropped is known to the entry: no more is delivered between asking and deleting. */
const DELETE_CONSUMERS = `
local ids = {}
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100000)) do ids[#ids + 1] = entry[1] end
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], fields[2])
end
return ids`

/** A consumer that is at work loses its pending list; what it holds it must still commit. */
const deleteConsumer: Fault = {
  name: 'DELCONSUMER',
  causes: [],
  async strike(campaign) {
    const worker = campaign.pickWorker()
    let dropped = 0
    const stream = streamOf(campaign, 'logs')
    // A batch is on its way to PostgreSQL, so the consumer holds what is in it.
    await worker.postgres.traps.spring(
      ({ point }) => point === 'copy-data',
      async () => {
        const ids = (await campaign.redis.eval(DELETE_CONSUMERS, 1, stream, GROUP)) as string[]
        campaign.exemptFromAckSample(stream, ids)
        dropped = ids.length
        return 'pass'
      },
    )
    await campaign.settle()
    if (dropped === 0) throw new MomentMissed('No consumer held anything')
    return `${dropped} pending entries dropped`
  },
}

async function untilCaughtUp(campaign: Campaign, stream: string): Promise<void> {
  const last = ((await campaign.redis.xrevrange(stream, '+', '-', 'COUNT', 1))[0] ?? [])[0]
  if (last === undefined) return
  await waitFor(
    async () => {
      await sleep(100)
      const groups = (await campaign.redis.xinfo('GROUPS', stream)) as unknown[][]
      const group = groups.map(toMap).find((each) => each.get('name') === GROUP)
      return Number(group?.get('pending')) < 500 && isAtLeast(String(group?.get('last-delivered-id')), last)
        ? true
        : undefined
    },
    { what: `Reading ${stream} again`, timeoutMs: 60_000, signal: campaign.signal },
  )
}

function toMap(fields: unknown[]): Map<unknown, unknown> {
  return new Map(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1]] as const] : [])))
}

function isAtLeast(id: string, other: string): boolean {
  const [ms, seq] = id.split('-').map(Number)
  const [otherMs, otherSeq] = other.split('-').map(Number)
  return (ms ?? 0) > (otherMs ?? 0) || (ms === otherMs && (seq ?? 0) >= (otherSeq ?? 0))
}

export const GROUP_FAULTS = [destroyGroup, deleteConsumer] as const
