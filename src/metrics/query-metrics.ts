import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** Who ended an answer. `refused` are requests that were not valid: nothing was asked of PostgreSQL for most of them. */
export type QueryOutcome = 'finished' | 'refused' | 'client' | 'timeout' | 'failed' | 'shutdown'

/** Fewer than those of ingest, for there are some twenty routes. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300]

/** The metrics of queries, by the route's template: there are as many as the API has routes. Observed once an answer. */
export function createQueryMetrics(registers: Registry[]) {
  const labelNames = ['route'] as const
  return {
    queriesRunning: new Gauge({
      name: 'observatory_queries_running',
      help: 'Queries of the API that are being answered',
      registers,
    }),
    queries: new Counter({
      name: 'observatory_queries_total',
      help: 'Queries of the API that have ended, by who ended them: finished, refused (not valid), client (went away), timeout, failed, shutdown',
      labelNames: ['route', 'outcome'] as const,
      registers,
    }),
    queryRows: new Counter({
      name: 'observatory_query_rows_total',
      help: 'Rows in the answers to queries',
      labelNames,
      registers,
    }),
    queryBytes: new Counter({
      name: 'observatory_query_sent_bytes_total',
      help: 'Bytes sent as answers to queries, as they go over the connection: compressed, with headers',
      labelNames,
      registers,
    }),
    queryFirstRowSeconds: new Histogram({
      name: 'observatory_query_first_row_seconds',
      help: 'Time from a query to its first row, of those that have rows',
      labelNames,
      buckets: SECONDS,
      registers,
    }),
    querySeconds: new Histogram({
      name: 'observatory_query_duration_seconds',
      help: 'Time from a query to the end of its answer; a client that reads slowly makes it long',
      labelNames,
      buckets: SECONDS,
      registers,
    }),
  }
}
