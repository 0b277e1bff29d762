import { parseJson } from '../../models/json.ts'
import type { Style } from './paint.ts'

/** One column of a table that rows stream through. */
export interface TableColumn<T> {
  readonly heading: string
  readonly cell: (record: T) => string
  readonly style?: (record: T) => Style | undefined
  /** Numbers go to the right. */
  readonly align?: 'left' | 'right'
  /** On a terminal longer cells are cut. */
  readonly maxWidth?: number
  /** Left out on a terminal with fewer columns. */
  readonly needsWidth?: number
}

/** A row as it comes from PostgreSQL: JSON text. */
export function readRow<T>(json: string): T {
  // What nests too deep for a parser that keeps integers exact is still shown.
  return (parseJson(json).value ?? JSON.parse(json)) as T
}
