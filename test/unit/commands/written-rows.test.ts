import { describe, expect, test } from 'vitest'
import { parseWrittenRows } from '../../../src/commands/quickstart/written-rows.ts'
import { registerGauges } from '../../../src/metrics/register-gauges.ts'
import { createMetrics } from '../../../src/metrics.ts'
import { METRIC_SOURCES } from '../../helpers/metric-sources.ts'

async function exposition(lag: number | null): Promise<string> {
  const metrics = createMetrics()
  registerGauges(metrics, {
    ...METRIC_SOURCES,
    groupStates: async () =>
      new Map([
        ['traces', { lag: 2, pending: 0, oldestPendingSeconds: 0 }],
        ['metrics', { lag: 2, pending: 0, oldestPendingSeconds: 0 }],
        ['logs', { lag, pending: 0, oldestPendingSeconds: 0 }],
      ]),
  })
  metrics.recordsWritten.inc({ signal: 'traces' }, 700)
  metrics.recordsWritten.inc({ signal: 'logs' }, 1_234_567)
  return metrics.registry.metrics()
}

describe("the service's own metrics", () => {
  test('hold the rows written and the lag', async () => {
    expect(parseWrittenRows(await exposition(3))).toEqual({
      rows: { traces: 700, metrics: 0, logs: 1_234_567 },
      total: 1_235_267,
      lag: 7,
    })
  })

  test('a lag that Redis does not know for one stream is not known for all', async () => {
    expect(parseWrittenRows(await exposition(null)).lag).toBeUndefined()
  })
})
