import { sleep } from '../../lifecycle.ts'
import type { Service } from '../../service.ts'
import { describeRows, type StatusLine } from './status-line.ts'
import { parseWrittenRows } from './written-rows.ts'

export interface TellRowsOptions {
  /** Asked in this process: by HTTP it may want a token, or have a certificate for another name. */
  readonly service: Pick<Service, 'url' | 'readMetrics'>
  readonly status: StatusLine
  /** What to print once there is something to look at. */
  readonly guide: string
  readonly signal: AbortSignal
}

const FIRST_ROWS_POLL_MS = 50
/** Usual is well below one: whoever waits this long should know that something is wrong. */
const FIRST_ROWS_LATE_MS = 15_000
const TERMINAL_INTERVAL_MS = 2000
/** Into a file or a container's log. */
const PLAIN_INTERVAL_MS = 60_000

/** Says when the first rows are committed, prints the guide, then says now and again how many there are. Ends with `signal`. */
export async function tellRows(options: TellRowsOptions): Promise<void> {
  const { status, guide, signal } = options
  await untilFirstRows(options)
  if (signal.aborted) return
  // performance.now() counts from the start of the process.
  const seconds = (performance.now() / 1000).toFixed(1)
  status.print(`First rows committed, ${seconds} s after the start. From another terminal:\n\n${guide}\n`)
  status.print('Ctrl-C stops everything.\n')
  await tellProgress(options)
}

async function untilFirstRows({ service, status, signal }: TellRowsOptions): Promise<void> {
  const lateAt = performance.now() + FIRST_ROWS_LATE_MS
  let isLate = false
  while (!signal.aborted) {
    const { total } = parseWrittenRows(await service.readMetrics())
    if (total > 0) return
    if (!isLate && performance.now() > lateAt) {
      isLate = true
      status.print(`No row is committed yet. ${service.url}/readyz says what ingest waits for.\n`)
    }
    await pause(FIRST_ROWS_POLL_MS, signal)
  }
}

async function tellProgress({ service, status, signal }: TellRowsOptions): Promise<void> {
  const intervalMs = status.isTerminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS
  let before = { total: 0, atMs: performance.now() }
  for (;;) {
    await pause(intervalMs, signal)
    if (signal.aborted) return
    const written = parseWrittenRows(await service.readMetrics())
    const atMs = performance.now()
    status.show(describeRows(written, ((written.total - before.total) * 1000) / (atMs - before.atMs)))
    before = { total: written.total, atMs }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, signal).catch(() => undefined)
}
