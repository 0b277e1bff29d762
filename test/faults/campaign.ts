import { parseArgs } from 'node:util'
import { faultsFor } from './faults.ts'
import { formatReport, problemsOf, type Report } from './report.ts'
import { runCampaign } from './run-campaign.ts'

/*
 * The fault campaign: faults strike workers, PostgreSQL and Redis while an oracle adds entries; then every record is looked for.
 *
 *   npm run test:faults -- --seed 1 --minutes 20
 *
 *   --seed N      the order and the parameters of the faults, and every payload (default: drawn, and printed)
 *   --minutes M   how long faults are struck (default 10)
 *   --strikes N   ends sooner, once every fault has hit N times, and fails when one has not (default: as many as there is time for)
 *   --always      Redis with appendfsync always, and none of the faults that may lose what it acknowledged
 *   --only A,B    only faults whose name has one of these texts in it
 *   --workers N   processes that ingest (default 3)
 *   --rate N      entries added a second (default 300)
 *   --keep-logs   leaves the logs of the workers in their folder
 */

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    strikes: { type: 'string' },
    workers: { type: 'string', default: '3' },
    rate: { type: 'string', default: '300' },
    always: { type: 'boolean', default: false },
    only: { type: 'string' },
    'keep-logs': { type: 'boolean', default: false },
  },
})

const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed)
const only = values.only?.split(',')
const fsync = values.always ? 'always' : 'everysec'
const faults = faultsFor(fsync).filter(({ name }) => only?.some((text) => name.includes(text)) ?? true)
const numbers = [seed, values.minutes, values.strikes ?? 1, values.workers, values.rate].map(Number)
if (numbers.some((number) => !(number >= 0)) || faults.length === 0) {
  process.stderr.write(
    '--seed, --minutes, --strikes, --workers and --rate are numbers; --only names faults, a part of each\n',
  )
  process.exit(2)
}
const stopping = new AbortController()
const onSignal = () => {
  // A second one ends the process at once; its servers are then left to whoever sent it.
  if (stopping.signal.aborted) process.exit(130)
  stopping.abort(new Error('interrupted'))
}
process.on('SIGINT', onSignal)
process.on('SIGTERM', onSignal)

/** After the faults: the rest is committed, every row is read, the audit runs. Past that something hangs, and it must be seen. */
const FINISH_MAX_MS = 15 * 60_000
const CLOSE_MAX_MS = 60_000
let exiting: NodeJS.Timeout | undefined
const hung = setTimeout(
  () => {
    stopping.abort(
      new Error(`the campaign hangs; repeat with --seed ${seed}, and look at the last line above`),
    )
    exiting = setTimeout(() => process.exit(1), CLOSE_MAX_MS)
  },
  Number(values.minutes) * 60_000 + FINISH_MAX_MS,
)

function tooFewStrikes({ tally }: Report): string[] {
  if (values.strikes === undefined) return []
  return tally
    .filter(({ struck }) => struck < Number(values.strikes))
    .map(
      ({ fault, struck }) => `${fault.name} hit ${struck} times of ${values.strikes}; give it more --minutes`,
    )
}

const started = performance.now()
const tell = (line: string) => {
  const seconds = Math.round((performance.now() - started) / 1000)
  process.stderr.write(`${String(seconds).padStart(5)} s  ${line}\n`)
}
tell(`seed ${seed}, ${values.minutes} minutes, ${faults.length} kinds of faults`)
try {
  const report = await runCampaign({
    seed,
    durationMs: Number(values.minutes) * 60_000,
    strikes: values.strikes === undefined ? Number.POSITIVE_INFINITY : Number(values.strikes),
    faults,
    workers: Number(values.workers),
    entriesPerSecond: Number(values.rate),
    fsync,
    streamPrefix: 'telemetry',
    keepLogs: values['keep-logs'],
    signal: stopping.signal,
    tell,
  })
  const problems = [...problemsOf(report), ...tooFewStrikes(report)]
  process.stdout.write(`${formatReport(report)}\n\n`)
  for (const problem of problems) process.stdout.write(`PROBLEM ${problem}\n`)
  process.stdout.write(
    problems.length === 0 ? `passed, seed ${seed}\n` : `FAILED, repeat with --seed ${seed}\n`,
  )
  process.exitCode = problems.length === 0 ? 0 : 1
} catch (error) {
  process.stderr.write(`${(error as Error).stack}\n`)
  process.exitCode = 1
} finally {
  clearTimeout(hung)
  clearTimeout(exiting)
  process.off('SIGINT', onSignal)
  process.off('SIGTERM', onSignal)
}
