import type { RecordFacts } from '../models/record-facts.ts'
import type { EntryId } from '../models/stream-entry.ts'
import type { RecordEvent } from './tail-event.ts'
import { formatTailId, type TailId } from './tail-id.ts'

/** What is made of the records of a signal. */
export interface RecordCodec<T> {
  readonly toJson: (record: T) => string
  readonly toFacts: (record: T) => RecordFacts
}

/** An entry of a stream, and what is in it; refused records are not. */
export interface TailEntry<T> {
  readonly id: EntryId
  readonly bytes: number
  readonly records: readonly TailRecord<T>[]
}

/**
 * A record as it came by the stream. All who watch share it: it is written as JSON once, and that, outside of the heap, is then all that waits for those who read slowly. What was decoded is many small
 * objects, and so is a string that was put together of many: the garbage collector would copy each of them, again and again.
 */
export class TailRecord<T> implements RecordEvent, TailId {
  readonly kind = 'record'
  readonly entry: TailId['entry']
  readonly index: number
  readonly #codec: RecordCodec<T>
  #record: T | undefined
  #json: Buffer | undefined
  #facts: RecordFacts | undefined
  #id: string | undefined

  constructor({ entry, index }: TailId, record: T, codec: RecordCodec<T>) {
    this.entry = entry
    this.index = index
    this.#record = record
    this.#codec = codec
  }

  get id(): string {
    this.#id ??= formatTailId(this)
    return this.#id
  }

  /** As it was decoded. @throws when it is {@link forget forgotten}. */
  get record(): T {
    if (this.#record === undefined) throw new Error('the record is kept as JSON alone')
    return this.#record
  }

  /** It was given to all whom it concerns: nobody asks any more what is in it. */
  forget(): void {
    this.#record = undefined
    this.#facts = undefined
  }

  get json(): Buffer {
    this.#json ??= Buffer.from(this.#codec.toJson(this.record))
    return this.#json
  }

  /** What filters ask of it. */
  get facts(): RecordFacts {
    this.#facts ??= this.#codec.toFacts(this.record)
    return this.#facts
  }
}
