import type { Life } from './life.ts'

/** What ingest wrote, in which time. */
export interface Load {
  readonly rows: number
  readonly seconds: number
}

/** Rows of today that come at once, */
const ROWS_AT_ONCE = 100_000
/** those beside each step, at most, as a share of all, */
const SHARE_BESIDE = 0.2
/** and those between steps. */
const SHARE_ALONE = 0.05
/** Of a service that has just started. */
const WARM_UP_ROWS = 50_000

/** How fast rows are written in a time. */
export function rateOf({ rows, seconds }: Load): number {
  return rows / seconds
}

export function addLoads(a: Load, b: Load): Load {
  return { rows: a.rows + b.rows, seconds: a.seconds + b.seconds }
}

/** What is written while something is added, until all of it is. */
export async function timeLoad(life: Life, add: () => Promise<void>): Promise<Load> {
  const rowsBefore = life.totalRows
  const startedAt = performance.now()
  await add()
  await life.untilWritten()
  return { rows: life.totalRows - rowsBefore, seconds: (performance.now() - startedAt) / 1000 }
}

/** Does something while rows of today come in as fast as they are written, up to a fifth of all rows. */
export async function besideIngest<T>(
  life: Life,
  work: () => Promise<T>,
): Promise<{ readonly done: T; readonly load: Load }> {
  const rowsBefore = life.totalRows
  let isDone = false
  const doing = work().finally(() => {
    isDone = true
  })
  doing.catch(() => undefined)
  const isEnough = () => isDone || life.totalRows - rowsBefore > life.options.rows * SHARE_BESIDE
  const load = await timeLoad(life, async () => {
    while (!isEnough()) await life.add(life.today, ROWS_AT_ONCE)
  })
  return { done: await doing, load }
}

/** Rows of today with nothing beside them, not even what a service does by itself: today has grown since the last time, and the same rows take longer. */
export async function ingestAlone(life: Life): Promise<Load> {
  const { stage, options } = life
  await stage.stopService()
  const letGo = await stage.holdUpMaintenance()
  await stage.startService()
  await timeLoad(life, () => life.add(life.today, WARM_UP_ROWS))
  const load = await timeLoad(life, () => life.add(life.today, options.rows * SHARE_ALONE))
  await letGo()
  options.tell(`${Math.round(rateOf(load))} rows a second with nothing beside them`)
  return load
}
