import { randomInt } from 'node:crypto'
import { expect, it } from 'vitest'
import { faultsFor } from '../faults/faults.ts'
import { formatReport, problemsOf } from '../faults/report.ts'
import { runCampaign } from '../faults/run-campaign.ts'
import { createTestDatabase } from '../helpers/test-database.ts'
import { createTestPrefix } from '../helpers/test-redis.ts'

/** The quickest and most telling; `npm run test:faults` strikes them all, for as long as asked. */
const STRUCK = [
  'SIGKILL between COMMIT and XACK',
  'SIGKILL mid-COPY',
  'terminated backend',
  'XGROUP DESTROY',
  'poison in 1 % of rows',
]
const STRIKES = 1

it('keeps every record exactly once through a short fault campaign, whose faults all hit', async () => {
  const { databaseUrl } = await createTestDatabase()
  const { prefix, redisUrl } = await createTestPrefix()
  const seed = Number(process.env.OBSERVATORY_TEST_FAULT_SEED ?? randomInt(1_000_000))
  const stopping = new AbortController()
  const story: string[] = []
  const report = await runCampaign({
    seed,
    // It ends when each has struck: on a slow machine one of them takes 20 s.
    durationMs: 150_000,
    strikes: STRIKES,
    faults: faultsFor('everysec').filter(({ name }) => STRUCK.includes(name)),
    workers: 2,
    entriesPerSecond: 200,
    fsync: 'everysec',
    servers: { databaseUrl, redisUrl },
    streamPrefix: prefix,
    signal: stopping.signal,
    tell: (line) => story.push(line),
  })

  expect(problemsOf(report), `seed ${seed}\n${story.join('\n')}\n${formatReport(report)}`).toEqual([])
  expect(report.tally.map(({ fault, struck }) => [fault.name, struck >= 1])).toEqual(
    report.tally.map(({ fault }) => [fault.name, true]),
  )
  expect(report.tally).toHaveLength(STRUCK.length)
}, 240_000)
