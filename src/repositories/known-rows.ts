import { Readable } from 'node:stream'

/** Rows that are known as a whole before the first is given: each an array with one column, JSON text. */
export class KnownRows extends Readable {
  /** Of what they say: the same for the same rows. */
  readonly etag: string
  readonly #rows: readonly string[]
  #next = 0

  constructor(rows: readonly string[], etag: string) {
    super({ objectMode: true })
    this.#rows = rows
    this.etag = etag
  }

  override _read(): void {
    const row = this.#rows[this.#next]
    this.#next += 1
    this.push(row === undefined ? null : [row])
  }
}
