import { gunzipSync } from 'node:zlib'
import { type AsyncBuffer, parquetMetadataAsync, parquetRead } from 'hyparquet'

/** Bytes that can be read at any place. */
export interface ByteSource {
  readonly byteLength: number
  read(start: number, end: number): Promise<Buffer>
}

/** What is made of rows is made of so many at a time. */
const ROWS_AT_ONCE = 250

/** Values come as {@link ParquetColumn} has them written: text and JSON as bytes. */
const PARSERS = {
  stringFromBytes: asIs,
  jsonFromBytes: asIs,
  uuidFromBytes: asIs,
  timestampFromMicroseconds: asIs,
  timestampFromNanoseconds: asIs,
}

/**
 * The rows of a Parquet file, some at a time; what is held is a group of them. Null is null.
 *
 * @param names of the columns, in the order of their values; a file that has others is refused.
 * @throws Error for a file that was cut off, or is none.
 */
export async function* readParquet(
  source: ByteSource,
  names: readonly string[],
): AsyncGenerator<readonly unknown[][]> {
  const metadata = await parquetMetadataAsync(asyncBuffer(source))
  const found = metadata.schema[0]?.num_children
  const columns =
    metadata.row_groups[0]?.columns.map(({ meta_data }) => meta_data?.path_in_schema[0]) ?? names
  if (found !== names.length || columns.some((name, place) => name !== names[place]))
    throw new Error(`it has the columns ${columns.join(', ')}, not ${names.join(', ')}`)
  let rowStart = 0
  for (const { columns: chunks, num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows)
    const starts = chunks.map(({ meta_data: chunk }) =>
      Number(chunk?.dictionary_page_offset ?? chunk?.data_page_offset ?? 0),
    )
    const ends = chunks.map(
      ({ meta_data }, place) => (starts[place] ?? 0) + Number(meta_data?.total_compressed_size ?? 0),
    )
    // One read for the group: over a network each one costs a round trip.
    const group = await withRead(source, Math.min(...starts), Math.max(...ends))
    let rows: unknown[][] = []
    await parquetRead({
      file: group,
      metadata,
      rowStart,
      rowEnd,
      utf8: false,
      parsers: PARSERS,
      compressors: { GZIP: (input) => gunzipSync(input) },
      onComplete: (complete) => {
        rows = complete
      },
    })
    for (const row of rows) for (let place = 0; place < row.length; place += 1) row[place] ??= null
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) yield rows.slice(at, at + ROWS_AT_ONCE)
    rowStart = rowEnd
  }
}

function asyncBuffer(source: ByteSource): AsyncBuffer {
  const { byteLength } = source
  return { byteLength, slice: async (start, end = byteLength) => bufferOf(await source.read(start, end)) }
}

/** A source that has a part of its bytes in memory, and reads no others. */
async function withRead(source: ByteSource, from: number, to: number): Promise<AsyncBuffer> {
  const bytes = await source.read(from, to)
  return {
    byteLength: source.byteLength,
    slice: (start, end = to) => bufferOf(bytes.subarray(start - from, end - from)),
  }
}

function bufferOf({ buffer, byteOffset, length }: Buffer): ArrayBuffer {
  return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + length)
}

function asIs<T>(value: T): T {
  return value
}
