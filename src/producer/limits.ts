import { ObservatoryError } from '../errors.ts'
import { ENTRY_MAX_BYTES, ENTRY_MAX_RECORDS } from '../models/stream-entry.ts'

/** How much a producer packs, holds and waits. */
export interface ProducerLimits {
  /** Records of one entry. Default 100, at most 20,000. */
  readonly maxBatchRecords: number
  /** Bytes of the JSON of one entry, and so of one record. Default 1 MiB, at most 16 MiB less 1 KiB. */
  readonly maxBatchBytes: number
  /** The longest a record waits for others to fill its entry, in milliseconds. Default 100. */
  readonly maxDelayMs: number
  /** Bytes of JSON taken over and not yet acknowledged by Redis; beyond it `add` waits. Default 8 MiB. */
  readonly maxInFlightBytes: number
  /** Waiting before the first retry, doubled each time, in milliseconds. Default 50. */
  readonly retryInitialDelayMs: number
  /** The longest waiting between two retries, in milliseconds. Default 2,000. */
  readonly retryMaxDelayMs: number
}

const DEFAULTS: ProducerLimits = {
  maxBatchRecords: 100,
  maxBatchBytes: 1024 * 1024,
  maxDelayMs: 100,
  maxInFlightBytes: 8 * 1024 * 1024,
  retryInitialDelayMs: 50,
  retryMaxDelayMs: 2_000,
}

/** What ingest takes of one entry, less the field around the JSON. */
const MOST_BATCH_BYTES = ENTRY_MAX_BYTES - 1024

/**
 * Fills in the defaults.
 *
 * @throws ObservatoryError ERR_CONFIG_INVALID naming every limit that is out of range.
 */
export function checkLimits(given: Partial<ProducerLimits>): ProducerLimits {
  const limits: { -readonly [name in keyof ProducerLimits]: number } = { ...DEFAULTS }
  const problems: string[] = []
  for (const name of Object.keys(DEFAULTS) as (keyof ProducerLimits)[]) {
    const value = given[name] ?? DEFAULTS[name]
    const least = name === 'maxDelayMs' ? 0 : 1
    if (!Number.isSafeInteger(value) || value < least)
      problems.push(`${name} must be an integer of at least ${least}`)
    limits[name] = value
  }
  if (limits.maxBatchRecords > ENTRY_MAX_RECORDS)
    problems.push(`maxBatchRecords must be at most ${ENTRY_MAX_RECORDS}`)
  if (limits.maxBatchBytes > MOST_BATCH_BYTES)
    problems.push(`maxBatchBytes must be at most ${MOST_BATCH_BYTES}`)
  if (limits.maxBatchBytes > limits.maxInFlightBytes) {
    problems.push(
      `maxInFlightBytes (${limits.maxInFlightBytes}) must be at least maxBatchBytes (${limits.maxBatchBytes})`,
    )
  }
  if (problems.length > 0)
    throw new ObservatoryError('ERR_CONFIG_INVALID', `producer: ${problems.join('; ')}`)
  return limits
}
