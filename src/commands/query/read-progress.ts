import { Progress, type ProgressOutput } from '../send/progress.ts'
import { formatCount } from '../text-table.ts'

export interface ReadProgressOptions {
  /** What is read, in the plural. */
  readonly noun: string
  readonly stdout: { readonly isTTY?: boolean | undefined }
  readonly stderr: ProgressOutput
}

/** How many rows were read so far. */
export interface Tally {
  rows: number
}

const INTERVAL_MS = 500

/**
 * Runs `work`, which counts what it reads, and says on a terminal how far it is, twice a second, and at the end what there was: where the data itself does not go to
 * a terminal, whose lines would be torn.
 */
export async function withReadProgress(
  { noun, stdout, stderr }: ReadProgressOptions,
  work: (tally: Tally) => Promise<void>,
): Promise<void> {
  const tally: Tally = { rows: 0 }
  if (stdout.isTTY || !stderr.isTTY) {
    await work(tally)
    return
  }
  const progress = new Progress(stderr)
  const startMs = performance.now()
  const draw = () =>
    progress.update({ noun, records: tally.rows, refused: 0, bytesRead: 0, totalBytes: undefined })
  const timer = setInterval(draw, INTERVAL_MS)
  try {
    await work(tally)
  } finally {
    clearInterval(timer)
    progress.clear()
    const seconds = (performance.now() - startMs) / 1000
    const rate = formatCount(Math.round(tally.rows / Math.max(seconds, 0.001)))
    stderr.write(`${formatCount(tally.rows)} ${noun} in ${seconds.toFixed(1)} s, ${rate}/s\n`)
  }
}

/** The rows as they come, counted. */
export async function* counted<Row>(rows: AsyncIterable<Row>, tally: Tally): AsyncGenerator<Row> {
  for await (const row of rows) {
    tally.rows += 1
    yield row
  }
}
