import type { Paint } from './paint.ts'
import type { TableColumn } from './table-column.ts'
import { fitLine, padText, textWidth } from './text-width.ts'

export interface TableOptions {
  /** Columns of the terminal; undefined where there is none: nothing is cut then. */
  readonly width: number | undefined
  readonly paint: Paint
}

/** Rows that are held to measure the columns; those after them take the widths as they are. */
const MEASURED_ROWS = 200
const GAP = '  '
/** A terminal too narrow for the table wraps; some of the last column is shown all the same. */
const MIN_LAST_WIDTH = 16
/** Lines are joined to about this many characters before they are written. */
const CHUNK = 16 * 1024

/** A table of any number of records, in constant memory. The last column takes the room that is left, and is cut there. */
export async function* tableLines<T>(
  records: AsyncIterable<T>,
  columns: readonly TableColumn<T>[],
  options: TableOptions,
): AsyncGenerator<string> {
  const { width: room = Number.POSITIVE_INFINITY } = options
  const shown = columns.filter(({ needsWidth = 0 }) => needsWidth <= room)
  let held: T[] | undefined = []
  let widths: readonly number[] = []
  let text = ''
  for await (const record of records) {
    if (held !== undefined) {
      held.push(record)
      if (held.length < MEASURED_ROWS) continue
      widths = measure(held, shown, options)
      text = tableText(held, shown, widths, options)
      held = undefined
    } else text += tableLine(record, shown, widths, options)
    if (text.length < CHUNK) continue
    yield text
    text = ''
  }
  if (held !== undefined && held.length > 0)
    text = tableText(held, shown, measure(held, shown, options), options)
  if (text !== '') yield text
}

function measure<T>(
  records: readonly T[],
  columns: readonly TableColumn<T>[],
  { width }: TableOptions,
): readonly number[] {
  const isTerminal = width !== undefined
  const widths = columns.map(({ heading, cell, maxWidth = width }) => {
    const most = isTerminal ? maxWidth : undefined
    const cells = records.map((record) => textWidth(fitLine(cell(record), most)))
    return cells.reduce((widest, each) => Math.max(widest, each), heading.length)
  })
  if (!isTerminal) return widths
  const taken = widths.slice(0, -1).reduce((sum, each) => sum + each + GAP.length, 0)
  const room = Math.max(MIN_LAST_WIDTH, width - taken)
  return widths.map((each, index) => (index === widths.length - 1 ? Math.min(room, each) : each))
}

function tableText<T>(
  records: readonly T[],
  columns: readonly TableColumn<T>[],
  widths: readonly number[],
  options: TableOptions,
): string {
  const headings = columns.map(({ heading, align }, index) => padText(heading, widths[index] ?? 0, align))
  const lines = records.map((record) => tableLine(record, columns, widths, options))
  return `${options.paint(headings.join(GAP).trimEnd(), 'strong')}\n${lines.join('')}`
}

function tableLine<T>(
  record: T,
  columns: readonly TableColumn<T>[],
  widths: readonly number[],
  { width, paint }: TableOptions,
): string {
  const cells = columns.map(({ cell, style, align = 'left' }, index) => {
    const room = widths[index] ?? 0
    const text = fitLine(cell(record), width === undefined ? undefined : room)
    // Behind the last column nothing needs blanks.
    const isEnd = index === columns.length - 1 && align === 'left'
    return paint(isEnd ? text : padText(text, room, align), text === '' ? undefined : style?.(record))
  })
  return `${cells.join(GAP).trimEnd()}\n`
}
