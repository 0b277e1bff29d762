import type { Rejection } from '../rejection.ts'

export interface PartLimits {
  /** A part with more than this is cut, between records. */
  readonly splitBytes: number
  /** What no part may have: a record alone may be as large. */
  readonly maxBytes: number
  /** Of one part. */
  readonly maxRecords: number
  /** Of what stands around records, which each part repeats. */
  readonly maxHeaderBytes: number
}

/** A request of more records is none that an exporter sends: it would only keep the process from everything else. */
const MAX_RECORDS = 1_000_000

/** What makes of a message's own fields and of what it holds what the message around it holds. */
export type Wrap = (header: Buffer, held: readonly Buffer[]) => Buffer

interface Level {
  readonly header: Buffer
  readonly wrap: Wrap
  held: Buffer[]
}

/**
 * Puts the records of a request into parts that are requests themselves: each record stands in the same messages as before.
 *
 * Messages are opened from the outside in; a part is cut by closing all that are open, and opening them again for the next.
 */
export class PartBuilder {
  readonly #limits: PartLimits
  readonly #levels: Level[] = []
  readonly #parts: Buffer[] = []
  #bytes = 0
  #records = 0
  #allRecords = 0
  /** Why the request is refused. What is added after it is left out. */
  problem: Rejection | undefined

  constructor(limits: PartLimits) {
    this.#limits = limits
  }

  /** @param header the message's own fields, as they came. */
  open(header: Buffer, wrap: Wrap): void {
    this.#levels.push({ header, wrap, held: [] })
    this.#bytes += header.length
  }

  add(record: Buffer): void {
    const { splitBytes, maxRecords } = this.#limits
    this.#allRecords += 1
    if (this.#allRecords > MAX_RECORDS) this.problem ??= TOO_MANY_RECORDS
    if (this.problem !== undefined) return
    const isFull = this.#bytes + record.length > splitBytes || this.#records >= maxRecords
    if (this.#records > 0 && isFull) this.#cut()
    this.#levels.at(-1)?.held.push(record)
    this.#bytes += record.length
    this.#records += 1
  }

  /** Ends the message that was opened last. Without records it is left out. */
  close(): void {
    const level = this.#levels.pop()
    if (level === undefined || level.held.length === 0) return
    this.#hold(this.#levels.length, level.wrap(level.header, level.held))
  }

  /** All parts, once all is closed. */
  get parts(): readonly Buffer[] {
    return this.#parts
  }

  #hold(levels: number, message: Buffer): void {
    const around = this.#levels[levels - 1]
    if (around === undefined) this.#parts.push(message)
    else around.held.push(message)
  }

  #cut(): void {
    const { maxHeaderBytes } = this.#limits
    const headers = this.#headerBytes
    if (headers > maxHeaderBytes) {
      const detail = `what stands around the records of a large request must have at most ${maxHeaderBytes} bytes, not ${headers}`
      this.problem ??= { reason: 'too_large', detail }
      return
    }
    for (let index = this.#levels.length - 1; index >= 0; index -= 1) {
      const level = this.#levels[index] as Level
      if (level.held.length > 0) this.#hold(index, level.wrap(level.header, level.held))
      level.held = []
    }
    this.#records = 0
    this.#bytes = headers
  }

  get #headerBytes(): number {
    return this.#levels.reduce((sum, { header }) => sum + header.length, 0)
  }
}

const TOO_MANY_RECORDS: Rejection = {
  reason: 'too_large',
  detail: `a request must have at most ${MAX_RECORDS} records`,
}
