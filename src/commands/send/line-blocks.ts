/** Whole lines of an input, as bytes; the last line of the input may lack its line feed. */
export interface LineBlock {
  readonly bytes: Buffer
  /** A line longer than the limit stood here and was skipped; `bytes` is empty. */
  readonly isTooLong: boolean
  /** Bytes of the input read so far. */
  readonly bytesRead: number
}

/** A record may have 1 MiB by default, and JSON may be written wastefully. A longer line is skipped, not kept. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024

const LINE_FEED = 0x0a
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const EMPTY = Buffer.alloc(0)

/** Cuts a stream of bytes behind line feeds. Holds one chunk and one line, at most `maxLineBytes` of it. */
export async function* readLineBlocks(
  chunks: AsyncIterable<Buffer>,
  maxLineBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<LineBlock> {
  let rest: Buffer = EMPTY
  let bytesRead = 0
  let isSkipping = false
  let isAtStart = true
  for await (const chunk of chunks) {
    bytesRead += chunk.length
    let data = chunk
    if (isSkipping) {
      const lineFeed = data.indexOf(LINE_FEED)
      if (lineFeed === -1) continue
      isSkipping = false
      data = data.subarray(lineFeed + 1)
    }
    if (rest.length > 0) data = Buffer.concat([rest, data])
    const end = data.lastIndexOf(LINE_FEED) + 1
    if (end > 0) {
      const lines = data.subarray(0, end)
      yield { bytes: isAtStart ? withoutByteOrderMark(lines) : lines, isTooLong: false, bytesRead }
      isAtStart = false
    }
    rest = data.subarray(end)
    if (rest.length > maxLineBytes) {
      yield { bytes: EMPTY, isTooLong: true, bytesRead }
      rest = EMPTY
      isSkipping = true
      isAtStart = false
    }
  }
  if (isAtStart) rest = withoutByteOrderMark(rest)
  if (rest.length > 0) yield { bytes: rest, isTooLong: false, bytesRead }
}

function withoutByteOrderMark(chunk: Buffer): Buffer {
  return chunk.subarray(0, 3).equals(BYTE_ORDER_MARK) ? chunk.subarray(3) : chunk
}

/** How many lines `bytes` ends. */
export function countLineFeeds(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) count++
  return count
}
