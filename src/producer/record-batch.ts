import { randomBytes } from 'node:crypto'
import type { TelemetrySignal } from '../models/telemetry-signal.ts'

/** The `[` and `]` around the records of an entry. */
export const ARRAY_BRACKETS_BYTES = 2

/**
 * Records, already written as JSON, that become one entry of form `json`. The key is made with the batch and kept for
 * all its sends: it is what makes a resend after a lost reply the same add.
 */
export class RecordBatch {
  readonly signal: TelemetrySignal
  readonly key: string
  /** Whether others may add under the same key: it came from the caller. */
  readonly isKeyShared: boolean
  #json: string[] = []
  #bytes = 0
  /** Sends so far. */
  attempts = 0

  constructor(signal: TelemetrySignal, key?: string) {
    this.signal = signal
    this.key = key ?? randomBytes(16).toString('base64url')
    this.isKeyShared = key !== undefined
  }

  push(json: string, bytes: number): void {
    this.#json.push(json)
    this.#bytes += bytes
  }

  get records(): number {
    return this.#json.length
  }

  /** UTF-8 bytes of the records, without the array's commas and brackets. */
  get bytes(): number {
    return this.#bytes
  }

  /** UTF-8 bytes of the body if a record of `bytes` were added. */
  bodyBytesWith(bytes: number): number {
    return this.#bytes + bytes + this.records + ARRAY_BRACKETS_BYTES
  }

  /** The value of the entry's `json` field. */
  body(): string {
    return `[${this.#json.join(',')}]`
  }
}
