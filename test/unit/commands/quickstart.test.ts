import { expect, test } from 'vitest'
import { quickstartCommand } from '../../../src/commands/quickstart.ts'
import { createWorkload } from '../../../src/demo/workload.ts'

const SECONDS = 120
const TRACES_PER_SECOND = 20

test('what help says about the size of a trace is what the workload makes', () => {
  const workload = createWorkload({ seed: 1, tracesPerSecond: TRACES_PER_SECOND })
  let [spans, logRecords] = [0, 0]
  for (let second = 1; second <= SECONDS; second += 1) {
    const { traces, logs } = workload.generate(new Date(1000 * second))
    spans += traces.length
    logRecords += logs.length
  }
  const perTrace = (records: number) => Math.round(records / (SECONDS * TRACES_PER_SECOND))
  const rate = quickstartCommand().options.find(({ long }) => long === '--rate')
  expect(rate?.description).toContain(
    `about ${perTrace(spans)} spans and ${perTrace(logRecords)} log records`,
  )
})
