import { setTimeout as sleep } from 'node:timers/promises'
import type { Campaign, Fault } from '../fault.ts'
import type { Worker } from '../worker.ts'

/*
 * SIGKILL at named points. A proxy sees the message that marks the point and the worker is dead before it is passed on: the point is hit
 * exactly, without a hook in the product.
 */

/** How long the killed one stays away. Shorter than its lease: what it held is its own again when it is back. */
const AWAY_MAX_MS = 800

async function killAndRestart(campaign: Campaign, worker: Worker): Promise<void> {
  await worker.end('SIGKILL')
  await sleep(campaign.random.integer(0, AWAY_MAX_MS))
  await worker.start()
  await campaign.settle()
}

const afterRead: Fault = {
  name: 'SIGKILL after read',
  causes: ['redelivered'],
  async strike(campaign) {
    const worker = campaign.pickWorker()
    const seesIt = campaign.random.chance(0.5)
    await worker.redis.traps.spring(
      ({ point }) => point === 'entries',
      async ({ link, bytes }) => {
        if (seesIt) {
          link.client.write(bytes)
          await sleep(2)
        }
        worker.isDown = true
        worker.kill('SIGKILL')
        return 'drop'
      },
    )
    await killAndRestart(campaign, worker)
    return seesIt ? 'reply given' : 'reply never seen'
  },
}

const midCopy: Fault = {
  name: 'SIGKILL mid-COPY',
  causes: ['redelivered'],
  async strike(campaign) {
    const worker = campaign.pickWorker()
    const ordinal = campaign.random.integer(1, 3)
    await worker.postgres.traps.spring(
      (moment) => moment.point === 'copy-data' && moment.ordinal >= ordinal,
      () => killNow(worker),
    )
    await killAndRestart(campaign, worker)
    return `CopyData ${ordinal}`
  },
}

const beforeCommit: Fault = {
  name: 'SIGKILL before COMMIT',
  causes: ['redelivered'],
  async strike(campaign) {
    const worker = campaign.pickWorker()
    await worker.postgres.traps.spring(
      ({ point }) => point === 'commit',
      () => killNow(worker),
    )
    await killAndRestart(campaign, worker)
    return 'COMMIT never sent'
  },
}

const beforeXack: Fault = {
  name: 'SIGKILL between COMMIT and XACK',
  causes: ['redelivered', 'duplicates'],
  async strike(campaign) {
    const worker = campaign.pickWorker()
    await worker.postgres.traps.spring(
      ({ point }) => point === 'committed',
      () => killNow(worker),
    )
    await killAndRestart(campaign, worker)
    return 'committed, not told'
  },
}

/** Half of a command acknowledges nothing; all of it does, though nobody is told. The strikes alternate, half first. */
let xacksStruck = 0
const midXack: Fault = {
  name: 'SIGKILL mid-XACK',
  causes: ['redelivered', 'duplicates'],
  async strike(campaign) {
    const worker = campaign.pickWorker()
    const share = xacksStruck % 2 === 0 ? 0.5 : 1
    xacksStruck += 1
    await worker.redis.traps.spring(
      ({ point }) => point === 'xack',
      async ({ link, bytes }) => {
        worker.isDown = true
        worker.kill('SIGKILL')
        link.upstream.write(bytes.subarray(0, Math.floor(bytes.length * share)))
        // Redis takes what has arrived before it sees the end of the connection.
        await sleep(20)
        return 'drop'
      },
    )
    await killAndRestart(campaign, worker)
    return `${share * 100} % of the command sent`
  },
}

const whileDraining: Fault = {
  name: 'SIGKILL while draining',
  causes: ['redelivered'],
  async strike(campaign) {
    const worker = campaign.pickWorker()
    const point = campaign.random.pick(['commit', 'committed'])
    // The batch under way holds up the drain until the kill.
    await worker.postgres.traps.spring(
      (moment) => moment.point === 'copy-data',
      async () => {
        worker.isDown = true
        worker.kill('SIGTERM')
        await sleep(30)
        return 'pass'
      },
    )
    await worker.postgres.traps.spring(
      (moment) => moment.point === point,
      () => killNow(worker),
    )
    await killAndRestart(campaign, worker)
    return `at ${point}`
  },
}

async function killNow(worker: Worker): Promise<'drop'> {
  worker.isDown = true
  worker.kill('SIGKILL')
  return 'drop'
}

export const KILL_POINTS = [afterRead, midCopy, beforeCommit, beforeXack, midXack, whileDraining] as const
