import { describe, expect, test } from 'vitest'
import { parseWrittenRows, readWrittenRows } from '../../../src/commands/quickstart/written-rows.ts'
import { createMetrics, registerGauges } from '../../../src/metrics.ts'

async function exposition(lag: number | null): Promise<string> {
  const metrics = createMetrics()
  registerGauges(metrics, {
    inFlight: () => ({ entries: 0, records: 0, bytes: 0 }),
    inFlightLimitBytes: () => 1,
    otlpBodies: undefined,
    backpressurePausedSeconds: () => 0,
    unpricedCalls: undefined,
    tailWatchers: undefined,
    pools: () => new Map(),
    groupStates: async () =>
      new Map([
        ['traces', { lag: 2, pending: 0 }],
        ['metrics', { lag: 2, pending: 0 }],
        ['logs', { lag, pending: 0 }],
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

  test('a service that is not there is no error', async () => {
    expect(await readWrittenRows('http://127.0.0.1:1')).toBeUndefined()
  })
})
