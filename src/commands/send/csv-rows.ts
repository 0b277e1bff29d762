import { parse } from 'csv-parse/sync'
import { codeOf } from '../../errors.ts'
import type { Rejection } from '../../models/rejection.ts'
import { countLineFeeds, MAX_LINE_BYTES, readLineBlocks } from './line-blocks.ts'

/** One row of a CSV file, or why there is none. */
export type CsvRow =
  | { readonly line: number; readonly cells: readonly string[]; readonly rejection?: undefined }
  | { readonly line: number; readonly cells?: undefined; readonly rejection: Rejection }

export interface CsvChunk {
  readonly rows: readonly CsvRow[]
  readonly bytesRead: number
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const TOO_LONG: Rejection = { reason: 'too_large', detail: `a line has more than ${MAX_LINE_BYTES} bytes` }

/**
 * Reads the rows of a CSV file (RFC 4180, either line end). The parser gets block after block of lines rather than one
 * stream: after a row that it cannot read (a quote that never closes, one in the wrong place) only the first line of that
 * row is given up, and reading goes on with the next. A quote left open holds at most `maxRowBytes`.
 */
export async function* readCsvRows(
  chunks: AsyncIterable<Buffer>,
  maxRowBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<CsvChunk> {
  let rest: Buffer = Buffer.alloc(0)
  let line = 1
  let bytesRead = 0
  for await (const block of readLineBlocks(chunks, maxRowBytes)) {
    bytesRead = block.bytesRead
    const bytes = rest.length === 0 ? block.bytes : Buffer.concat([rest, block.bytes])
    // A quote that is open where a line was skipped cannot be closed any more.
    const { rows, end } = readRows(bytes, line, block.isTooLong ? 0 : maxRowBytes)
    rest = bytes.subarray(end)
    line += countLineFeeds(bytes.subarray(0, end))
    if (block.isTooLong) rows.push({ line: line++, rejection: TOO_LONG })
    yield { rows, bytesRead }
  }
  if (rest.length > 0) yield { rows: readRows(rest, line, 0).rows, bytesRead }
}

/** Reads all rows, but not a last one whose quote is still open if it has at most `maxOpenBytes`: more may follow. */
function readRows(
  bytes: Buffer,
  firstLine: number,
  maxOpenBytes: number,
): { readonly rows: CsvRow[]; readonly end: number } {
  const rows: CsvRow[] = []
  let line = firstLine
  let at = 0
  const skipTo = (end: number): void => {
    line += countLineFeeds(bytes.subarray(at, end))
    at = end
  }
  while (at < bytes.length) {
    const start = at
    const { parsed, failure } = parseBlock(bytes.subarray(start))
    for (const { cells, end } of parsed) {
      skipTo(endOfEmptyLines(bytes, at))
      rows.push({ line, cells })
      skipTo(start + end)
    }
    skipTo(endOfEmptyLines(bytes, at))
    if (failure === undefined) break
    if (failure.isOpen && bytes.length - at <= maxOpenBytes) break
    rows.push({ line, rejection: { reason: 'unknown_form', detail: failure.detail } })
    const lineFeed = bytes.indexOf(LINE_FEED, at)
    skipTo(lineFeed === -1 ? bytes.length : lineFeed + 1)
  }
  return { rows, end: at }
}

interface ParsedBlock {
  /** Each row, and where it ends. */
  readonly parsed: readonly { readonly cells: readonly string[]; readonly end: number }[]
  /** What is wrong with the row after them. Open: only its closing quote is missing so far. */
  readonly failure: { readonly isOpen: boolean; readonly detail: string } | undefined
}

/** In our words: those of the parser quote the cell, which may be private, and count lines from the block. */
const FAILURES: ReadonlyMap<unknown, string> = new Map([
  ['CSV_QUOTE_NOT_CLOSED', 'a quote is opened and not closed'],
  ['CSV_INVALID_CLOSING_QUOTE', 'a closing quote must be followed by a comma or the end of the line'],
  ['INVALID_OPENING_QUOTE', 'a quote stands within a cell that does not begin with one'],
])

function parseBlock(bytes: Buffer): ParsedBlock {
  const parsed: { cells: readonly string[]; end: number }[] = []
  try {
    parse(bytes, {
      relax_column_count: true,
      skip_empty_lines: true,
      record_delimiter: ['\r\n', '\n'],
      max_record_size: 0,
      on_record: (cells, { bytes: end }) => {
        parsed.push({ cells, end })
        return undefined
      },
    })
    return { parsed, failure: undefined }
  } catch (error) {
    const code = codeOf(error)
    const detail = FAILURES.get(code)
    if (detail === undefined) throw error
    return { parsed, failure: { isOpen: code === 'CSV_QUOTE_NOT_CLOSED', detail } }
  }
}

function endOfEmptyLines(bytes: Buffer, from: number): number {
  let end = from
  while (bytes[end] === LINE_FEED || bytes[end] === CARRIAGE_RETURN) end++
  return end
}
