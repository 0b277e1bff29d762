import type { Readable } from 'node:stream'

/** What became of the rows of a body. */
export class RowCount {
  rows = 0
  /** When the first row came, in milliseconds of `performance.now()`. */
  firstAt: number | undefined
  /** What ended them before their end. */
  error: unknown

  add(rows: number): void {
    this.firstAt ??= performance.now()
    this.rows += rows
  }
}

/** A response body that counts its rows while it is read. */
export type CountedBody = Readable & { readonly counted: RowCount }
