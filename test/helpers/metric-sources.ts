import type { MetricSources } from '../../src/metrics/register-gauges.ts'

/** Sources of all gauges, of a service with nothing to do. */
export const METRIC_SOURCES: MetricSources = {
  inFlight: () => ({ entries: 0, records: 0, bytes: 0 }),
  inFlightLimitBytes: () => 1,
  otlpBodies: { used: 0, limit: 1 },
  backpressurePausedSeconds: () => 0,
  unpricedCalls: () => 0,
  tails: { watchers: () => 0, dropped: () => 0 },
  pools: () => new Map([['api', { total: 1, idle: 1, waiting: 0, max: 1 }]]),
  groupStates: async () => new Map(),
  isReady: async () => true,
  partitionsAhead: () => new Map([['spans', 3]]),
}
