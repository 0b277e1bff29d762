import { parseArgs } from 'node:util'
import { median } from '../../src/commands/bench/statistics.ts'
import { daySeconds, formatFigures, keptRate } from './format-figures.ts'
import { runLife } from './run-life.ts'

/*
 * The life of the data: days of telemetry are ingested, rolled up, closed, archived, verified, dropped, and a day is restored, while ingest goes on and commands are killed.
 *
 *   npm run test:life -- --seed 1
 *
 *   --seed N       every record, and when commands are killed (default: drawn, and printed)
 *   --days N       whole days before today (default 60)
 *   --kept N       days that retention keeps (default 14)
 *   --rows N       rows of all signals, before those that come late (default 10,000,000)
 *   --kills N      how often each command is killed (default 5)
 */

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    days: { type: 'string', default: '60' },
    kept: { type: 'string', default: '14' },
    rows: { type: 'string', default: '10000000' },
    kills: { type: 'string', default: '5' },
  },
})
const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed)
const [days, keptDays, rows, kills] = [values.days, values.kept, values.rows, values.kills].map(Number) as [
  number,
  number,
  number,
  number,
]
if (
  ![seed, days, keptDays, rows, kills].every((number) => number >= 0) ||
  keptDays < 2 ||
  days < keptDays + 2
) {
  process.stderr.write('all take numbers; --kept is at least 2, and --days at least two more\n')
  process.exit(2)
}
const stopping = new AbortController()
const onSignal = () => stopping.abort(new Error('interrupted'))
process.once('SIGINT', onSignal)
process.once('SIGTERM', onSignal)

/** What issue and design ask for. */
const RATE_MIN = 0.7
const DAY_SECONDS_MAX = 8640
const USAGE_MS_MAX = 100

const started = performance.now()
const tell = (line: string) => {
  const seconds = Math.round((performance.now() - started) / 1000)
  process.stderr.write(`${String(seconds).padStart(5)} s  ${line}\n`)
}
tell(`seed ${seed}, ${days} days, ${rows} rows`)
const { figures, problems } = await runLife({
  seed,
  days,
  keptDays,
  rows,
  kills,
  signal: stopping.signal,
  tell,
})
const all = [...problems]
const rate = keptRate(figures)
if (!(rate >= RATE_MIN)) all.push(`ingest kept ${rate.toFixed(2)} of its rate, less than ${RATE_MIN}`)
if (!(daySeconds(figures, days) < DAY_SECONDS_MAX)) all.push('a day takes more than a tenth of a day')
if (!(median(figures.usageMs) < USAGE_MS_MAX)) all.push(`usage of 30 days takes over ${USAGE_MS_MAX} ms`)
process.stdout.write(`${formatFigures(figures, days)}\n\n`)
for (const problem of all) process.stdout.write(`PROBLEM ${problem}\n`)
process.stdout.write(all.length === 0 ? `passed, seed ${seed}\n` : `FAILED, repeat with --seed ${seed}\n`)
process.exitCode = all.length === 0 ? 0 : 1
