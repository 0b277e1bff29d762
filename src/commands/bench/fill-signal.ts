import { streamKey } from '../../models/stream-entry.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { BenchSetup } from './bench-setup.ts'
import type { EntryForm } from './entry-form.ts'
import { fillStream } from './fill-stream.ts'
import { RECORD_NAMES } from './signal-tables.ts'
import { createWorkload } from './workload.ts'

export interface FillSignalOptions {
  readonly signal: TelemetrySignal
  readonly forms: readonly EntryForm[]
  readonly rows: number
  readonly seed: number
  readonly nowMs: number
}

/** The same records of one signal, waiting in a stream for each form. */
export interface FilledSignal {
  readonly signal: TelemetrySignal
  readonly rows: number
  /** The forms that were asked for. */
  readonly forms: readonly EntryForm[]
  /** Of JSON, on average. */
  readonly recordBytes: number
  /** Stream prefix of a form. */
  prefixOf(form: EntryForm): string
  /** Deletes the streams. */
  empty(): Promise<void>
}

/** Fills a stream for each form. That of single JSON records is always there, for whoever needs rows of any kind. */
export async function fillSignal(
  { redis, prefix, stopping, tell }: BenchSetup,
  { signal, forms, rows, seed, nowMs }: FillSignalOptions,
): Promise<FilledSignal> {
  const workload = createWorkload(signal, { seed, rows, nowMs })
  const prefixOf = (form: EntryForm): string => `${prefix}-${form}`
  const streamOf = (form: EntryForm): string => streamKey(prefixOf(form), signal)
  const filled = new Set<EntryForm>(['json', ...forms])
  let recordBytes = 0
  for (const form of filled) {
    tell(`${RECORD_NAMES[signal]}: filling a stream with ${rows} records, ${form}`)
    const { bytes } = await fillStream({ redis, stream: streamOf(form), workload, form, rows, stopping })
    if (form === 'json') recordBytes = Math.round(bytes / rows) - 'json'.length
  }
  return {
    signal,
    rows,
    forms,
    recordBytes,
    prefixOf,
    empty: async () => void (await redis.unlink(...[...filled].map(streamOf))),
  }
}
