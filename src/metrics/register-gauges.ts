import { Counter, Gauge, type Registry } from 'prom-client'
import type { Metrics } from '../metrics.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../models/telemetry-signal.ts'
import type { PoolStats } from '../pool.ts'

interface StreamState {
  readonly lag: number | null
  readonly pending: number
  /** 0 when nothing is pending. */
  readonly oldestPendingSeconds: number
}

/** Gauges that are read when Prometheus asks, from whoever knows. */
export interface MetricSources {
  inFlight(signal: TelemetrySignal): {
    readonly entries: number
    readonly records: number
    readonly bytes: number
  }
  inFlightLimitBytes(): number
  /** Bodies of export requests in memory; undefined in a process without a receiver. */
  readonly otlpBodies: { readonly used: number; readonly limit: number } | undefined
  backpressurePausedSeconds(): number
  /** Of tails; undefined in a process without tails. */
  readonly tails:
    | {
        readonly watchers: (signal: TelemetrySignal) => number
        readonly dropped: (signal: TelemetrySignal) => number
      }
    | undefined
  /** Undefined in a process that does not ingest. */
  readonly unpricedCalls: (() => number) | undefined
  readonly pools: () => ReadonlyMap<string, PoolStats>
  /**
   * Without a signal whose group is not known, and undefined when Redis does not answer in time: then there is no sample. So it is for a
   * lag of null, when Redis does not know (XINFO GROUPS says so after XDEL or XTRIM). Called by three gauges a scrape.
   */
  groupStates(): Promise<ReadonlyMap<TelemetrySignal, StreamState> | undefined>
  /** Whether the service does its work; answers in bounded time, whatever hangs. */
  isReady(): Promise<boolean>
  /** Of each table, how many partitions begin after now; undefined in a process that creates none, and before it has looked. */
  partitionsAhead(): ReadonlyMap<string, number> | undefined
}

/** Registers the gauges that are read at scrape time. */
export function registerGauges({ registry }: Metrics, sources: MetricSources): void {
  const registers = [registry]
  // Read without waiting: all of them in the tick in which the counters are read, so that they add up.
  const bySignal = (name: string, help: string, read: (signal: TelemetrySignal) => number) =>
    new Gauge({
      name: `observatory_${name}`,
      help,
      labelNames: ['signal'],
      registers,
      collect() {
        for (const signal of TELEMETRY_SIGNALS) this.set({ signal }, read(signal))
      },
    })
  const ofGroup = (name: string, help: string, field: keyof StreamState) =>
    new Gauge({
      name: `observatory_${name}`,
      help,
      labelNames: ['signal'],
      registers,
      async collect() {
        const states = await sources.groupStates()
        this.reset()
        for (const signal of TELEMETRY_SIGNALS) {
          const value = states?.get(signal)?.[field] ?? null
          if (value !== null) this.set({ signal }, value)
        }
      },
    })
  const single = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `observatory_${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })

  bySignal(
    'entries_in_flight',
    'Entries read and not settled yet',
    (signal) => sources.inFlight(signal).entries,
  )
  bySignal(
    'records_in_flight',
    'Records received and not yet written, dead-lettered or found to be duplicates',
    (signal) => sources.inFlight(signal).records,
  )
  bySignal('in_flight_bytes', 'Bytes read and not settled yet', (signal) => sources.inFlight(signal).bytes)
  ofGroup(
    'stream_lag_entries',
    'Entries not delivered to the group yet; absent when Redis does not know',
    'lag',
  )
  ofGroup('stream_pending_entries', 'Entries delivered and not acknowledged', 'pending')
  ofGroup(
    'stream_oldest_pending_seconds',
    'Time since the oldest entry that is delivered and not acknowledged was added (entry id); 0 when there is none',
    'oldestPendingSeconds',
  )
  single('in_flight_limit_bytes', 'Bytes in flight at which reading pauses', sources.inFlightLimitBytes)
  const { otlpBodies, tails } = sources
  if (tails !== undefined) {
    bySignal('tail_watchers', 'Clients that watch a tail', tails.watchers)
    // Not counted as they are told: who has stopped reading is told nothing.
    new Counter({
      name: 'observatory_tail_records_dropped_total',
      help: 'Records left out of a tail because its client reads too slowly',
      labelNames: ['signal'],
      registers,
      collect() {
        this.reset()
        for (const signal of TELEMETRY_SIGNALS) this.inc({ signal }, tails.dropped(signal))
      },
    })
  }
  if (otlpBodies !== undefined) {
    single('otlp_bodies_bytes', 'Bytes of the bodies of export requests in memory', () => otlpBodies.used)
    single(
      'otlp_bodies_limit_bytes',
      'Bytes of bodies past which export requests are answered 503',
      () => otlpBodies.limit,
    )
  }
  new Counter({
    name: 'observatory_backpressure_paused_seconds_total',
    help: 'Time that reading was paused because the limit of bytes in flight was reached, summed over streams',
    registers,
    collect() {
      this.reset()
      this.inc(sources.backpressurePausedSeconds())
    },
  })
  const { unpricedCalls } = sources
  if (unpricedCalls !== undefined) {
    new Counter({
      name: 'observatory_unpriced_calls_total',
      help: 'Calls of models with tokens whose model is in no price list; observatory doctor lists the models',
      registers,
      collect() {
        this.reset()
        this.inc(unpricedCalls())
      },
    })
  }
  registerPoolGauges(registers, sources)
  registerStateGauges(registers, sources)
}

function registerStateGauges(registers: Registry[], { isReady, partitionsAhead }: MetricSources): void {
  new Gauge({
    name: 'observatory_ready',
    help: '1 while the service does its work, as /readyz says; 0 while it does not, or cannot tell within a second',
    registers,
    async collect() {
      this.set((await isReady()) ? 1 : 0)
    },
  })
  new Gauge({
    name: 'observatory_partitions_ahead',
    help: 'Partitions of each table that begin after now',
    labelNames: ['table'],
    registers,
    collect() {
      for (const [table, count] of partitionsAhead() ?? []) this.set({ table }, count)
    },
  })
}

function registerPoolGauges(registers: Registry[], { pools }: MetricSources): void {
  new Gauge({
    name: 'observatory_pool_clients',
    help: 'PostgreSQL connections of each pool by state; waiting are requests for one',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, { total, idle, waiting }] of pools()) {
        this.set({ pool, state: 'busy' }, total - idle)
        this.set({ pool, state: 'idle' }, idle)
        this.set({ pool, state: 'waiting' }, waiting)
      }
    },
  })
  new Gauge({
    name: 'observatory_pool_clients_limit',
    help: 'PostgreSQL connections of each pool at most',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, { max }] of pools()) this.set({ pool }, max)
    },
  })
}
