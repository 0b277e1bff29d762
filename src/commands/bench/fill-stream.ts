import type { Redis } from 'ioredis'
import { messageOf, ObservatoryError } from '../../errors.ts'
import { type EntryForm, entryFields, RECORDS_PER_ENTRY } from './entry-form.ts'
import type { Workload } from './workload.ts'

export interface FillOptions {
  readonly redis: Redis
  readonly stream: string
  readonly workload: Workload
  readonly form: EntryForm
  readonly rows: number
  readonly stopping: AbortSignal
}

/** What waits in a stream. */
export interface FilledStream {
  readonly entries: number
  /** Characters of all names and values. */
  readonly bytes: number
}

/** Bounds what one pipeline holds in memory. */
const PIPELINE_MAX_ENTRIES = 2000
const PIPELINE_MAX_BYTES = 4 * 1024 * 1024

/**
 * Adds the first `rows` records of a workload to a stream.
 *
 * @throws ObservatoryError ERR_SERVER_UNSUITABLE when Redis refuses an entry: its memory is full.
 */
export async function fillStream(options: FillOptions): Promise<FilledStream> {
  const { redis, stream, workload, form, rows, stopping } = options
  const [size, filled] = [RECORDS_PER_ENTRY[form], { entries: 0, bytes: 0 }]
  for (let from = 0; from < rows; ) {
    stopping.throwIfAborted()
    const pipeline = redis.pipeline()
    for (
      let bytes = 0;
      from < rows && pipeline.length < PIPELINE_MAX_ENTRIES && bytes < PIPELINE_MAX_BYTES;
    ) {
      const to = Math.min(rows, from + size)
      const records = Array.from({ length: to - from }, (_, index) => workload.record(from + index))
      const fields = entryFields(form, records)
      pipeline.xadd(stream, '*', ...fields)
      const length = fields.reduce((sum, field) => sum + field.length, 0)
      bytes += length
      filled.bytes += length
      filled.entries += 1
      from = to
    }
    for (const [error] of (await pipeline.exec()) ?? []) {
      if (error === null) continue
      const message = `Redis does not take the load of the bench: ${messageOf(error)}; give it memory, or take fewer --rows`
      throw new ObservatoryError('ERR_SERVER_UNSUITABLE', message, { cause: error })
    }
  }
  return filled
}
