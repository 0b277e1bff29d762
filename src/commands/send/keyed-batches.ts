import type { Rejection } from '../../models/rejection.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { Producer } from '../../producer/contract.ts'

interface Member {
  /** Which record of the file it is, refused ones counted; the first is 0. */
  readonly number: number
  readonly line: number
  readonly record: object
}

export interface KeyedBatchesOptions {
  readonly producer: Producer
  readonly telemetrySignal: TelemetrySignal
  readonly prefix: string
  readonly size: number
  readonly onRefused: (line: number, rejection: Rejection) => void
}

/**
 * Batches whose idempotency key says which records of the file they cover: `PREFIX:200-299`. Their borders come from the
 * file alone, not from time or from what is refused, so a second run of the same file makes the same batches and adds
 * none of them again. A batch that was not complete when a run was interrupted was not sent, and is sent by the next.
 */
export class KeyedBatches {
  readonly #options: KeyedBatchesOptions
  #members: Member[] = []
  #next = 0

  constructor(options: KeyedBatchesOptions) {
    this.#options = options
  }

  /** Takes the next record of the file. Undefined stands for one that was refused. */
  async add(line: number, record: object | undefined): Promise<void> {
    const number = this.#next++
    if (record !== undefined) this.#members.push({ number, line, record })
    const { size } = this.#options
    if (this.#next % size === 0) await this.#complete(this.#next - size)
  }

  /** Sends what is left: the file has ended. */
  async end(): Promise<void> {
    const { size } = this.#options
    await this.#complete(this.#next - (this.#next % size))
  }

  async #complete(first: number): Promise<void> {
    const members = this.#members
    this.#members = []
    await this.#send(first, this.#next - 1, members)
  }

  /** Halves a batch that is too large for one entry, down to single records. */
  async #send(first: number, last: number, members: readonly Member[]): Promise<void> {
    const [only] = members
    if (only === undefined) return
    const { producer, telemetrySignal, prefix, onRefused } = this.#options
    const records = members.map(({ record }) => record)
    const rejection = await producer.addBatch(telemetrySignal, records, `${prefix}:${first}-${last}`)
    if (rejection === undefined) return
    if (members.length === 1) return onRefused(only.line, rejection)
    const middle = Math.floor((first + last) / 2)
    await this.#send(
      first,
      middle,
      members.filter(({ number }) => number <= middle),
    )
    await this.#send(
      middle + 1,
      last,
      members.filter(({ number }) => number > middle),
    )
  }
}
