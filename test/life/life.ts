import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { createLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { FreezeKeeper } from '../../src/retention/freeze-keeper.ts'
import { CLOSED_AFTER_MS, IndexKeeper } from '../../src/retention/index-keeper.ts'
import { findMissingIndexes } from '../../src/retention/missing-indexes.ts'
import { INDEXED_TABLES } from '../../src/retention/partition-indexes.ts'
import { PARTITIONED_TABLES } from '../../src/retention/partitions.ts'
import { findUnfrozen } from '../../src/retention/unfrozen-partitions.ts'
import { rollUpAll } from '../helpers/roll-up-all.ts'
import { askAll, askSeries, askSums, type TimeRange } from './ask.ts'
import { addSums, type DaySums, differences, NO_SUMS, rowsOf } from './day-sums.ts'
import { addDay, untilWaiting } from './load.ts'
import { STREAM_PREFIX, type Stage } from './stage.ts'
import { DAY_MS } from './telemetry.ts'

export interface LifeOptions {
  readonly seed: number
  /** Whole days before today. */
  readonly days: number
  /** Days that retention keeps. */
  readonly keptDays: number
  /** Of all signals, before the late ones. */
  readonly rows: number
  /** Of each command. */
  readonly kills: number
  readonly signal: AbortSignal
  readonly tell: (line: string) => void
}

/** Two spans and two log records for each data point. */
const SHARES: Readonly<Record<TelemetrySignal, number>> = { traces: 0.4, logs: 0.4, metrics: 0.2 }
const POLL_MS = 500

/** Telemetry on a stage, and what it should count and add up to. */
export class Life {
  readonly stage: Stage
  readonly options: LifeOptions
  readonly expected = new Map<number, DaySums>()
  readonly problems: string[] = []
  #series: string | undefined
  #rounds = 0
  readonly #today = Math.floor(Date.now() / DAY_MS) * DAY_MS

  constructor(stage: Stage, options: LifeOptions) {
    this.stage = stage
    this.options = options
  }

  /** All days. */
  get whole(): TimeRange {
    return { fromMs: this.#today - this.options.days * DAY_MS, toMs: this.#today }
  }

  /** What is ingested while the days before are aged. */
  get today(): TimeRange {
    return { fromMs: this.#today, toMs: this.#today + DAY_MS }
  }

  /** Days that are past their retention all the time the campaign takes, also over a midnight. */
  get old(): TimeRange {
    return { ...this.whole, toMs: this.#today - (this.options.keptDays + 1) * DAY_MS }
  }

  /** Days that stay. */
  get kept(): TimeRange {
    return { ...this.whole, fromMs: this.#today - (this.options.keptDays - 1) * DAY_MS }
  }

  get totalRows(): number {
    let rows = 0
    for (const sums of this.expected.values()) rows += Object.values(rowsOf(sums)).reduce((a, b) => a + b, 0)
    return rows
  }

  /** Adds so many rows to each day of a range, other ones each time. */
  async add(range: TimeRange, rowsADay: number): Promise<void> {
    const round = this.#rounds
    this.#rounds += 1
    const { redis } = this.stage
    const { signal, seed } = this.options
    const rows = {
      traces: Math.round(rowsADay * SHARES.traces),
      logs: Math.round(rowsADay * SHARES.logs),
      metrics: Math.round(rowsADay * SHARES.metrics),
    }
    for (let dayMs = range.fromMs; dayMs < range.toMs; dayMs += DAY_MS) {
      const load = { redis, streamPrefix: STREAM_PREFIX, signal }
      const sums = await addDay(load, { dayMs, seed: seed + 7919 * round }, rows)
      this.expected.set(dayMs, addSums(this.expected.get(dayMs) ?? NO_SUMS, sums))
    }
  }

  /** Until all that was added is committed. */
  async untilWritten(): Promise<void> {
    await untilWaiting(
      { redis: this.stage.redis, streamPrefix: STREAM_PREFIX, signal: this.options.signal },
      0,
    )
  }

  /** Compares what days count and add up to, as the API or as rows tell, with what was added. */
  async check(what: string, range: TimeRange, from?: 'rows'): Promise<void> {
    this.compare(what, range, await askSums(this.stage.pool, range, from))
  }

  compare(what: string, range: TimeRange, found: ReadonlyMap<number, Partial<DaySums>>): void {
    const within = (day: number) => day >= range.fromMs && day < range.toMs
    const expected = new Map([...this.expected].filter(([day]) => within(day)))
    const problems = differences(what, new Map([...found].filter(([day]) => within(day))), expected)
    this.problems.push(...problems)
    this.options.tell(
      problems.length === 0
        ? `${what}: ${expected.size} days as they should be`
        : `PROBLEM ${problems.slice(0, 5).join('; ')}`,
    )
  }

  /** Compares the time series of old days with what they were the first time: from points, from rollups, and when the points are gone. */
  async checkSeries(what: string): Promise<void> {
    const series = JSON.stringify(await askSeries(this.stage.pool, this.old))
    this.#series ??= series
    if (series !== this.#series) this.problems.push(`${what}: time series of metrics are not what they were`)
    this.options.tell(`${what}: time series of metrics ${series === this.#series ? '' : 'NOT '}as they were`)
  }

  /** Whether rollups answer as rows do. */
  async checkRollups(range: TimeRange): Promise<void> {
    const [rolled, ofRows] = [
      await askAll(this.stage.pool, range),
      await askAll(this.stage.pool, range, 'rows'),
    ]
    const isEqual = JSON.stringify(rolled) === JSON.stringify(ofRows)
    if (!isEqual) this.problems.push('rollups answer otherwise than rows')
    this.options.tell(`rollups answer ${isEqual ? '' : 'NOT '}as rows do`)
  }

  /** Makes all rollups that are due without a pause, while the keepers of services are held up. @returns seconds. */
  async rollUpAll(): Promise<number> {
    const startedAt = performance.now()
    await rollUpAll(this.stage.pool, Math.floor(Date.now() / 60_000), this.options.signal)
    return (performance.now() - startedAt) / 1000
  }

  /**
   * Builds all indexes and freezes all partitions, as the keepers of a service do it, which are held up meanwhile, save that they pause for as short as what they did took. @returns seconds.
   */
  async closeAll(): Promise<number> {
    const { pool } = this.stage
    const startedAt = performance.now()
    const keepers = keepersOf(pool)
    try {
      while (!(await this.#isClosed())) {
        this.options.signal.throwIfAborted()
        await sleep(POLL_MS)
      }
    } finally {
      for (const keeper of keepers) await keeper.stop()
    }
    return (performance.now() - startedAt) / 1000
  }

  async #isClosed(): Promise<boolean> {
    const { pool } = this.stage
    const nowMs = Date.now()
    for (const table of INDEXED_TABLES)
      if ((await findMissingIndexes(pool, table, nowMs - CLOSED_AFTER_MS)).length > 0) return false
    for (const table of PARTITIONED_TABLES)
      if ((await findUnfrozen(pool, table, { nowMs, isIndexed: true })).length > 0) return false
    return true
  }
}

function keepersOf(pool: pg.Pool) {
  const options = {
    pool,
    metrics: createMetrics(),
    logger: createLogger({ level: 'warn', pretty: false }),
    pauseMs: 0,
    intervalMs: POLL_MS,
  }
  return [
    new IndexKeeper({ ...options, partitions: 'closed' }),
    new FreezeKeeper({ ...options, isIndexed: true }),
  ]
}
