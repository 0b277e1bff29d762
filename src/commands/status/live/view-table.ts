import type { Style } from '../../query/paint.ts'
import { padText, textWidth } from '../../query/text-width.ts'
import type { Line, Segment } from '../../tail/line.ts'
import { terminalLine } from '../../terminal-text.ts'

/** A cell from anywhere; in a style or not. */
export type Cell = string | { readonly text: string; readonly style: Style | undefined }

export interface ViewColumn {
  readonly heading: string
  readonly align?: 'left' | 'right'
}

/** A column is no wider: names come from elsewhere. */
const MAX_CELL = 40
const GAP = '  '

/** Rows under headings, aligned, a line each. Everything in them is made safe for a terminal. */
export function viewTable(columns: readonly ViewColumn[], rows: readonly (readonly Cell[])[]): Line[] {
  const headings = columns.map(({ heading }): Segment => ({ text: heading, style: 'strong' }))
  const lines = [headings, ...rows.map((cells) => cells.map(segmentOf))]
  const widths = columns.map((_, index) => Math.max(...lines.map((cells) => widthOf(cells[index]))))
  return lines.map((cells) =>
    cells.map((cell, index) => ({
      ...cell,
      text: `${index === 0 ? '' : GAP}${padText(cell.text, widths[index] ?? 0, columns[index]?.align)}`,
    })),
  )
}

function segmentOf(cell: Cell): Segment {
  const { text, style } = typeof cell === 'string' ? { text: cell, style: undefined } : cell
  const safe = terminalLine(text.slice(0, MAX_CELL + 1))
  return { text: textWidth(safe) > MAX_CELL ? `${safe.slice(0, MAX_CELL - 1)}…` : safe, style }
}

function widthOf(segment: Segment | undefined): number {
  return segment === undefined ? 0 : textWidth(segment.text)
}
