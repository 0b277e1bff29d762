import { median } from '../../src/commands/bench/statistics.ts'
import { TELEMETRY_SIGNALS } from '../../src/models/telemetry-signal.ts'
import { rateOf } from './beside-ingest.ts'
import type { Figures } from './run-life.ts'

const DAY_SECONDS = 86_400
/** What the service itself takes of its time for rollups (rollup-keeper.ts). */
const ROLLUP_SHARE = 0.1

/** Seconds that the maintenance of one day takes, as the service does it: rollups with their pauses. */
export function daySeconds({ seconds }: Figures, days: number): number {
  const { rollUp, close, archive, remove } = seconds
  return (rollUp / ROLLUP_SHARE + close + archive + remove) / days
}

/** What ingest kept of its rate beside all steps: the time that what was written beside each takes alone, to the time it took. */
export function keptRate({ loads }: Figures): number {
  let [alone, beside] = [0, 0]
  for (const load of Object.values(loads)) {
    alone += load.beside.rows / rateOf(load.alone)
    beside += load.beside.seconds
  }
  return alone / beside
}

export function formatFigures(figures: Figures, days: number): string {
  const { rows, first, loads, seconds, usageMs, kills } = figures
  const perDay = daySeconds(figures, days)
  const of = (value: number) => value.toFixed(value < 10 ? 1 : 0)
  const lines = [
    `${rows.toLocaleString('en')} rows of ${days} days; commands were killed ${kills} times`,
    `ingest of all days ${of(rateOf(first))} rows/s; of today beside each step, to before and after it: ${Object.entries(
      loads,
    )
      .map(([name, load]) => `${name} ${of(rateOf(load.beside))} to ${of(rateOf(load.alone))}`)
      .join(', ')}: ${keptRate(figures).toFixed(2)} in all`,
    `seconds for all days: ${Object.entries(seconds)
      .map(([name, value]) => `${name} ${of(value)}`)
      .join(', ')}`,
    `one day takes ${of(perDay)} s, ${((100 * perDay) / DAY_SECONDS).toFixed(2)} % of a day, rollups at a tenth of their speed`,
    `usage of 30 days by model: median ${of(median(usageMs))} ms, slowest ${of(usageMs.at(-1) ?? Number.NaN)} ms`,
    `rollups ${(figures.rollupBytes / 2 ** 20).toFixed(0)} MiB`,
    '',
    'bytes a row        in the row  indexes  beside    all   Parquet',
  ]
  for (const signal of TELEMETRY_SIGNALS)
    for (const state of ['open', 'closed'] as const) {
      const { rows: of, heap, indexes, total } = figures.sizes[signal][state]
      const parquet = state === 'closed' ? figures.parquetBytes[signal].toFixed(0) : ''
      const cells = [heap, indexes, total - heap - indexes, total].map((bytes) => (bytes / of).toFixed(0))
      lines.push(
        `${`${signal}, ${state}`.padEnd(19)}${cells[0]?.padStart(10)}${cells[1]?.padStart(9)}${cells[2]?.padStart(8)}${cells[3]?.padStart(7)}${parquet.padStart(10)}`,
      )
    }
  return lines.join('\n')
}
