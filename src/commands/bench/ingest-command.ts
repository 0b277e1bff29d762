import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { loadSettings } from '../../config.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../models/telemetry-signal.ts'
import { runCommand } from '../run-command.ts'
import { addSettings } from '../setting-flags.ts'
import { readReport } from './bench-report.ts'
import { setUpBench } from './bench-setup.ts'
import { formatComparison } from './compare-reports.ts'
import { ENTRY_FORMS, type EntryForm } from './entry-form.ts'
import { formatReport } from './format-report.ts'
import { GROWTH_AXES, type GrowthAxisKey } from './growth-axes.ts'
import { listOption, parseCount, parseList, parseSignals } from './parse-flags.ts'
import { BENCH_PARTS, type BenchPart, runBench } from './run-bench.ts'
import { SERVICE_SETTINGS } from './service-process.ts'
import { RECORD_NAMES } from './signal-tables.ts'

const EXAMPLES = `
The service ingests a stream that was filled before, beside \\copy of the very same
rows into the same tables, and beside a consumer that inserts. All in one run, by
turns; ratios come first. Without DATABASE_URL and REDIS_URL it starts servers of
its own in a temporary folder; with them it makes a database and stream keys of its
own there. Both are gone at the end. Keep the machine idle meanwhile.

Parts: ingest, copy, insert (these three by default), freshness (XADD to queryable
under load), growth (rows stored, partitions, attributes, record size, workers), all.

Examples:
  observatory bench ingest --json before.json
  observatory bench ingest --compare before.json
  observatory bench ingest --only spans,points --forms json,array --rows 300000
  observatory bench ingest --part freshness
  observatory bench ingest --part growth --axes stored --large
  observatory bench ingest --only spans --forms json --part ingest --cpu-prof profiles`

const ROWS = 100_000
const ROUNDS = 5
/** An axis has many points, and each of them a stream of its own. */
const GROWTH_ROWS = 30_000
const GROWTH_ROUNDS = 3
const SECONDS = 10
const SEED = 1

interface IngestFlags {
  readonly rows?: number
  readonly rounds?: number
  readonly only: readonly TelemetrySignal[]
  readonly forms: readonly EntryForm[]
  readonly part: readonly BenchPart[]
  readonly seconds: number
  readonly seed: number
  readonly axes: readonly GrowthAxisKey[]
  readonly large?: boolean
  readonly cpuProf?: string
  readonly json?: string
  readonly compare?: string
}

/** `observatory bench ingest`: how fast are rows ingested, beside what else could write them? */
export function ingestCommand(): Command {
  const names = Object.values(RECORD_NAMES)
  const command = new Command('ingest')
    .description('Measure ingest beside psql \\copy and a consumer that inserts.')
    .option('--rows <rows>', `rows of each run (default: ${ROWS}, growth ${GROWTH_ROWS})`, parseCount)
    .option('--rounds <rounds>', `rounds (default: ${ROUNDS}, growth ${GROWTH_ROUNDS})`, parseCount)
    .addOption(
      listOption('--only <words>', names, 'what').argParser(parseSignals).default(TELEMETRY_SIGNALS, 'all'),
    )
    .addOption(listOption('--forms <words>', ENTRY_FORMS, 'entry forms').default(ENTRY_FORMS, 'all'))
    .addOption(
      listOption('--part <words>', BENCH_PARTS, 'parts, or all')
        .argParser((text) => (text === 'all' ? BENCH_PARTS : parseList(text, BENCH_PARTS)))
        .default(['ingest', 'copy', 'insert'], 'ingest,copy,insert'),
    )
    .option('--seconds <seconds>', 'length of each load of freshness', parseCount, SECONDS)
    .addOption(listOption('--axes <words>', GROWTH_AXES, 'growth along').default(GROWTH_AXES, 'all'))
    .option('--large', 'growth: 10 million rows stored, too')
    .option('--seed <number>', 'the same seed gives the same records', parseCount, SEED)
    .option('--cpu-prof <folder>', 'write CPU profiles of the service there')
    .option(
      '--json <file>',
      'write everything measured there ("-": to standard output, instead of the report)',
    )
    .option('--compare <file>', 'compare with an earlier --json file')
  return addSettings(command, [
    'databaseUrl',
    'redisUrl',
    'embeddedPostgresBin',
    'startupTimeoutMs',
    ...SERVICE_SETTINGS,
    'shutdownTimeoutMs',
    'logLevel',
  ])
    .addHelpText('after', EXAMPLES)
    .action(runIngestBench)
}

async function runIngestBench(flags: IngestFlags): Promise<void> {
  const {
    rows,
    rounds,
    only,
    forms,
    part,
    json,
    compare,
    axes,
    large = false,
    seconds,
    seed,
    cpuProf,
  } = flags
  // A file that cannot be read is told before an hour of measuring.
  const earlier = compare === undefined ? undefined : readReport(compare)
  const { settings } = loadSettings({ flags: { ...flags } })
  await runCommand(settings, async (context) => {
    const notes = new Set<string>()
    const bench = await setUpBench({
      ...context,
      settings,
      tell,
      note: (sentence) => void notes.add(sentence),
    })
    const options = {
      parts: part,
      signals: only,
      forms,
      rows: rows ?? ROWS,
      rounds: rounds ?? ROUNDS,
      growthRows: rows ?? GROWTH_ROWS,
      growthRounds: rounds ?? GROWTH_ROUNDS,
      axes,
      large,
      seconds,
      seed,
      cpuProf,
    }
    const report = await runBench(bench, options, notes)
    const text = `${JSON.stringify(report, null, 2)}\n`
    if (json !== undefined && json !== '-') await writeFile(json, text)
    process.stdout.write(json === '-' ? text : formatReport(report))
    if (earlier !== undefined) {
      const output = json === '-' ? process.stderr : process.stdout
      output.write(`\n${formatComparison(earlier, report)}`)
    }
  })
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
