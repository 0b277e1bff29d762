import { Random } from '../../src/demo/random.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../src/models/telemetry-signal.ts'
import { filesOf, listArchiveIds, readManifest } from '../../src/retention/archive/archive-manifest.ts'
import { FolderStorage } from '../../src/retention/archive/folder-storage.ts'
import type { TimeRange } from './ask.ts'
import { addLoads, besideIngest, ingestAlone, type Load, rateOf, timeLoad } from './beside-ingest.ts'
import { type DiskSize, diskSize, rollupSize, TABLES } from './disk-sizes.ts'
import { Life, type LifeOptions } from './life.ts'
import { parquetSums } from './parquet-sums.ts'
import { openStage } from './stage.ts'
import { type CommandRun, runToEnd, strike } from './struck-command.ts'
import { DAY_MS } from './telemetry.ts'

/** Steps of which is measured what they leave to ingest. */
export type StepName = 'archive' | 'remove' | 'restore'

/** Ingest before and after a step with nothing beside it, and beside the step. */
export interface StepLoads {
  readonly alone: Load
  readonly beside: Load
}

/** What was measured. */
export interface Figures {
  readonly rows: number
  /** Of all days, with nothing beside it. */
  readonly first: Load
  readonly loads: Readonly<Record<StepName, StepLoads>>
  /** Seconds for all days. */
  readonly seconds: Readonly<Record<'rollUp' | 'close' | StepName, number>>
  readonly kills: number
  readonly sizes: Readonly<Record<TelemetrySignal, Readonly<Record<'open' | 'closed', DiskSize>>>>
  readonly parquetBytes: Readonly<Record<TelemetrySignal, number>>
  readonly rollupBytes: number
  /** Milliseconds, sorted. */
  readonly usageMs: readonly number[]
}

export interface LifeReport {
  readonly figures: Figures
  readonly problems: readonly string[]
}

/** Of the days that stay, after these were closed. */
const LATE_ROWS_A_DAY = 2000
const USAGE_ASKED = 30

/**
 * Days of telemetry are ingested, rolled up, closed, archived, verified, dropped and one of them restored, while ingest goes on and commands are killed. What it counts and adds up to
 * is compared with what was added at every step.
 */
export async function runLife(options: LifeOptions): Promise<LifeReport> {
  const stage = await openStage({ RESULT_CACHE_MAX_BYTES: '0' })
  try {
    const life = new Life(stage, options)
    const { tell } = options
    const letGo = await stage.holdUpMaintenance()
    await stage.startService()
    tell('ingesting with nothing beside it')
    const first = await timeLoad(life, () => life.add(life.whole, options.rows / options.days))
    tell(`${first.rows} rows, ${Math.round(rateOf(first))} a second`)
    await life.check('rows', life.whole, 'rows')
    await life.checkSeries('points')
    const open = await sizesOf(life)
    const rollUp = await life.rollUpAll()
    tell(`rolled up in ${rollUp.toFixed(0)} s`)
    await life.check('rollups', life.whole)
    await life.checkRollups(life.whole)
    await life.checkSeries('rollups')
    await letGo()
    const close = await life.closeAll()
    tell(`indexes built and partitions frozen in ${close.toFixed(0)} s`)
    const closed = await sizesOf(life)

    await life.add(life.kept, LATE_ROWS_A_DAY)
    const aged = await age(life)
    await life.check('after all of it, rollups and rows', life.whole)
    await life.check('today', life.today)
    await life.checkSeries('after all of it')
    await life.check('rows that stay', life.kept, 'rows')
    await life.check('rows that were restored', aged.restored, 'rows')
    await life.checkRollups(life.kept)
    const usageMs = await timeUsage(life)
    const sizes = Object.fromEntries(
      TELEMETRY_SIGNALS.map((signal) => [signal, { open: open[signal], closed: closed[signal] }]),
    ) as Figures['sizes']
    return {
      problems: life.problems,
      figures: {
        ...aged.figures,
        rows: life.totalRows,
        first,
        seconds: { rollUp, close, ...aged.seconds },
        sizes,
        rollupBytes: await rollupSize(stage.pool),
        usageMs,
      },
    }
  } finally {
    await stage.close()
  }
}

/** Archives, verifies, drops and restores beside ingest: killed again and again, then to the end, which is what is measured; ingest alone in between. */
async function age(life: Life) {
  const { stage, options } = life
  const { tell } = options
  const random = new Random(options.seed)
  let kills = 0
  const run = async (args: readonly string[], killWithinMs: number): Promise<Step> => {
    const command = { args, env: stage.env, kills: options.kills, random, killWithinMs, tell }
    const afterKill = () => life.check('after the kill', life.old)
    kills += (await besideIngest(life, () => strike({ ...command, afterKill }))).done
    const before = await ingestAlone(life)
    const { done, load } = await besideIngest(life, () => runToEnd(command))
    const loads = { beside: load, alone: addLoads(before, await ingestAlone(life)) }
    const kept = rateOf(load) / rateOf(loads.alone)
    tell(
      `observatory ${args.slice(0, 2).join(' ')}: done in ${done.seconds.toFixed(0)} s, ${kept.toFixed(2)} of ingest beside it`,
    )
    return { done, loads }
  }
  const archive = await run(['archive', 'run', '--before', new Date(life.old.toMs).toISOString()], 20_000)
  life.compare('archives, as DuckDB reads them', life.old, await parquetSums(stage.archiveFolder))
  await runToEnd({ args: ['archive', 'verify'], env: stage.env })
  tell('archives verified')

  const days = TELEMETRY_SIGNALS.flatMap((signal) => [`--retention-${signal}-days`, String(options.keptDays)])
  const remove = await run(['retention', 'run', '--json', ...days], 3000)
  await checkDropped(life)

  const nth = Math.floor(random.next() * ((life.old.toMs - life.old.fromMs) / DAY_MS))
  const restored: TimeRange = {
    fromMs: life.old.fromMs + nth * DAY_MS,
    toMs: life.old.fromMs + (nth + 1) * DAY_MS,
  }
  const [from, to] = [restored.fromMs, restored.toMs].map((ms) => new Date(ms).toISOString()) as [
    string,
    string,
  ]
  const restore = await run(['archive', 'restore', '--from', from, '--to', to], 2000)
  await life.check('after the restore', life.old)
  await life.checkSeries('after the restore')
  await life.check('the day that was restored', restored, 'rows')
  const each = <T>(of: (step: Step) => T) => ({
    archive: of(archive),
    remove: of(remove),
    restore: of(restore),
  })
  return {
    restored,
    seconds: each(({ done }) => done.seconds),
    figures: {
      loads: each(({ loads }) => loads),
      kills,
      parquetBytes: await parquetBytesOf(stage.archiveFolder),
    },
  }
}

/** A command that has run to its end, and what was ingested meanwhile. */
interface Step {
  readonly done: CommandRun
  readonly loads: StepLoads
}

async function checkDropped(life: Life): Promise<void> {
  await life.check('after the drop', life.old)
  await life.checkSeries('after the drop')
  const { rows } = await life.stage.pool.query(
    'select count(*)::int as rows from spans where start_time < $1',
    [new Date(life.old.toMs)],
  )
  if (rows[0].rows > 0) life.problems.push(`${rows[0].rows} old spans are left`)
}

async function sizesOf({ stage }: Life): Promise<Readonly<Record<TelemetrySignal, DiskSize>>> {
  const sizes = {} as Record<TelemetrySignal, DiskSize>
  for (const signal of TELEMETRY_SIGNALS) sizes[signal] = await diskSize(stage.pool, signal)
  return sizes
}

/** Bytes a row in archives. */
async function parquetBytesOf(folder: string): Promise<Readonly<Record<TelemetrySignal, number>>> {
  const storage = new FolderStorage(folder)
  const each = {} as Record<TelemetrySignal, number>
  for (const signal of TELEMETRY_SIGNALS) {
    let [bytes, rows] = [0, 0]
    for (const [index, table] of TABLES[signal].entries())
      for (const id of await listArchiveIds(storage, table)) {
        const manifest = await readManifest(storage, id)
        bytes += filesOf(manifest).reduce((sum, file) => sum + file.bytes, 0)
        if (index === 0) rows += manifest.rows[0].rows
      }
    each[signal] = bytes / rows
  }
  return each
}

/** How long the API takes for the usage of thirty days by model, when all rollups are made. */
async function timeUsage(life: Life): Promise<readonly number[]> {
  const { stage } = life
  await stage.stopService()
  const letGo = await stage.holdUpMaintenance()
  await life.rollUpAll()
  await letGo()
  const url = await stage.startService()
  const from = new Date(life.whole.toMs - 30 * DAY_MS).toISOString()
  const to = new Date(life.whole.toMs).toISOString()
  const ms: number[] = []
  for (let n = 0; n < USAGE_ASKED; n += 1) {
    const startedAt = performance.now()
    const response = await fetch(`${url}/api/v1/llm/usage?from=${from}&to=${to}&by=model`)
    await response.text()
    if (!response.ok) throw new Error(`usage was answered with ${response.status}`)
    ms.push(performance.now() - startedAt)
  }
  return ms.sort((a, b) => a - b)
}
