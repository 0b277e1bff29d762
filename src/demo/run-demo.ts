import { sleep } from '../lifecycle.ts'
import { TELEMETRY_SIGNALS } from '../models/telemetry-signal.ts'
import type { Producer } from '../producer/contract.ts'
import { createWorkload, type DemoTelemetry } from './workload.ts'

export interface DemoOptions {
  /** Ends the demo. */
  readonly signal: AbortSignal
  /** Traces per second, on average; each has about 7 spans and 3 log records. Default 5. */
  readonly tracesPerSecond?: number
  /** Default: another one each time, so that two demos do not share trace ids. */
  readonly seed?: number
}

const TICK_MS = 250

/**
 * Feeds a made-up LLM workload to a producer, live. Resolves soon after `signal` is aborted, even when Redis is gone and
 * the producer has no room. The producer stays open: its `close` sees to it that what it took over arrives.
 *
 * @throws what the producer throws.
 */
export async function runDemo(producer: Producer, options: DemoOptions): Promise<void> {
  const { signal, tracesPerSecond = 5, seed = Date.now() } = options
  const workload = createWorkload({ seed, tracesPerSecond })
  while (!signal.aborted) {
    await unlessAborted(addAll(producer, workload.generate(new Date()), signal), signal)
    // Rejects only when aborted, which the loop sees.
    await sleep(TICK_MS, signal).catch(() => undefined)
  }
}

/** Waits for `work`, but not beyond the abort. Leaves no listener behind: the loop runs for days. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let leave = (): void => {}
  const aborted = new Promise<void>((resolve) => {
    leave = resolve
    signal.addEventListener('abort', leave, { once: true })
  })
  try {
    await Promise.race([aborted, work])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

async function addAll(producer: Producer, telemetry: DemoTelemetry, signal: AbortSignal): Promise<void> {
  for (const telemetrySignal of TELEMETRY_SIGNALS) {
    for (const record of telemetry[telemetrySignal]) {
      if (signal.aborted) return
      await producer.add(telemetrySignal, record)
    }
  }
}
