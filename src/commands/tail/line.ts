import type { Style } from '../query/paint.ts'

/** A part of a line that is shown in one style. Its text is safe for a terminal. */
export interface Segment {
  readonly text: string
  readonly style?: Style | undefined
  /** What was looked for. */
  readonly isMatch?: boolean
}

/** A line as it is shown, without its line feed. */
export type Line = readonly Segment[]

/** What a record is shown as. */
export type Format = (json: string) => Line

/** A line as a person reads it, without colors. */
export function lineText(line: Line): string {
  return line.map(({ text }) => text).join('')
}
