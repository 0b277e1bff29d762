import { Readable } from 'node:stream'

interface OneAfterTheOtherOptions<Q> {
  /** Rows of all together; null is all. */
  readonly limit: number | null
  readonly queries: readonly Q[]
  readonly open: (query: Q, limit: number | null) => Promise<Readable>
}

/**
 * The rows of one query after the other.
 *
 * States: *between* (no rows open; the next query is opened when rows are asked for) → *open* (its rows flow until the reader has enough) → between; after the last query, or the limit, *ended*.
 */
export class OneAfterTheOther<Q> extends Readable {
  readonly #options: OneAfterTheOtherOptions<Q>
  #next = 0
  #left: number | null
  #open: Readable | undefined
  #isOpening = false

  constructor(options: OneAfterTheOtherOptions<Q>) {
    super({ objectMode: true })
    this.#options = options
    this.#left = options.limit
  }

  override _read(): void {
    if (this.#open !== undefined) this.#open.resume()
    else if (!this.#isOpening) this.#openNext()
  }

  #openNext(): void {
    const query = this.#options.queries[this.#next]
    if (query === undefined || this.#left === 0) {
      this.push(null)
      return
    }
    this.#next += 1
    this.#isOpening = true
    this.#options.open(query, this.#left).then(
      (rows) => this.#flow(rows),
      (error: Error) => this.destroy(error),
    )
  }

  #flow(rows: Readable): void {
    this.#isOpening = false
    if (this.destroyed) {
      rows.destroy()
      return
    }
    this.#open = rows
    rows.on('data', (row) => {
      if (this.#left !== null) this.#left -= 1
      if (!this.push(row)) rows.pause()
    })
    rows.once('error', (error) => this.destroy(error))
    rows.once('end', () => {
      this.#open = undefined
      this.#openNext()
    })
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#open?.destroy()
    callback(error)
  }
}
