import { parse } from 'csv-parse/sync'
import { messageOf } from '../../errors.ts'
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

interface ParsedRow {
  readonly cells: readonly string[]
  /** Where the next row begins. */
  readonly end: number
}

interface ParsedBlock {
  readonly rows: readonly ParsedRow[]
  /** What is wrong with the row after the last of `rows`; `isOpen` if only its closing quote is missing so far. */
  readonly failure: { readonly isOpen: boolean; readonly message: string } | undefined
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Reads the rows of a CSV file (RFC 4180, either line end). Blocks of lines go to the parser one by one, so that after a
 * row it cannot read (a quote that never closes, one in the wrong place) only that row's first line is given up and
 * reading goes on with the next, and so that a quote left open never holds more than `maxRowBytes`.
 */
export async function* readCsvRows(
  chunks: AsyncIterable<Buffer>,
  maxRowBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<CsvChunk> {
  let line = 1
  let rest = Buffer.alloc(0)
  let bytesRead = 0
  for await (const block of readLineBlocks(chunks, maxRowBytes)) {
    bytesRead = block.bytesRead
    const rows: CsvRow[] = []
    // What is still open when a line too long comes is not going to close.
    const read = readBlock(Buffer.concat([rest, block.bytes]), line, block.isTooLong ? 0 : maxRowBytes)
    rows.push(...read.rows)
    line = read.nextLine
    rest = read.rest
    if (block.isTooLong) rows.push({ line: line++, rejection: TOO_LONG })
    yield { rows, bytesRead }
  }
  if (rest.length > 0) yield { rows: readBlock(rest, line, 0).rows, bytesRead }
}

const TOO_LONG: Rejection = { reason: 'too_large', detail: 'the line is too long' }

/** Reads what can be read. `rest` is a row whose quote is open, if it has at most `maxOpenBytes`: more may follow. */
function readBlock(
  block: Buffer,
  firstLine: number,
  maxOpenBytes: number,
): { rows: CsvRow[]; rest: Buffer<ArrayBuffer>; nextLine: number } {
  const rows: CsvRow[] = []
  let line = firstLine
  let rest = Buffer.from(block)
  const skipTo = (end: number): void => {
    line += countLineFeeds(rest.subarray(0, end))
    rest = rest.subarray(end)
  }
  while (rest.length > 0) {
    const parsed = parseRows(rest)
    let begin = 0
    for (const { cells, end } of parsed.rows) {
      skipTo(emptyLinesEnd(rest, 0))
      rows.push({ line, cells })
      skipTo(end - begin - (0))
      begin = end
    }
    break
  }
  return { rows, rest, nextLine: line }
}

function parseRows(block: Buffer): ParsedBlock {
  const rows: ParsedRow[] = []
  try {
    parse(block, {
      relax_column_count: true,
      skip_empty_lines: true,
      record_delimiter: ['\r\n', '\n'],
      max_record_size: 0,
      on_record: (cells: string[], { bytes }) => {
        rows.push({ cells, end: bytes })
        return undefined
      },
    })
    return { rows, failure: undefined }
  } catch (error) {
    const isOpen = (error as { code?: unknown }).code === 'CSV_QUOTE_NOT_CLOSED'
    return { rows, failure: { isOpen, message: messageOf(error) } }
  }
}

function emptyLinesEnd(block: Buffer, from: number): number {
  let end = from
  while (block[end] === LINE_FEED || block[end] === CARRIAGE_RETURN) end++
  return end
}
