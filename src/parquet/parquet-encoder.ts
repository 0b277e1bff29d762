import { gzipSync } from 'node:zlib'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { type ParquetColumn, type ParquetType, schemaOf } from './parquet-column.ts'

/**
 * Rows of a group: what is held and encoded at once. Files are read by groups too, so they should not be small; but while one is encoded the process does nothing else, for some
 * tens of milliseconds.
 */
const GROUP_ROWS = 5000
/** Of values, about: rows of large texts make groups of fewer rows. */
const GROUP_BYTES = 4 * 1024 * 1024

/** Of what gzip can do most comes at once: 6 takes half as long again for a tenth less. */
const GZIP = { level: 1 }

const HAS_STATISTICS: ReadonlySet<ParquetType> = new Set([
  'int32',
  'int64',
  'double',
  'timestampNanos',
  'timestampMicros',
])

/**
 * Makes a Parquet file of rows, as much of it at a time as a group of rows. Bytes come by {@link add} and {@link finish}, in order; the footer comes last, so a file that
 * was cut off is one that no reader takes.
 *
 * What is held grows with the footer, by some 300 bytes a column and group: ten million spans are about 30 MB.
 */
export class ParquetEncoder {
  readonly #columns: readonly ParquetColumn[]
  readonly #bytes = new ByteWriter()
  readonly #writer: ParquetWriter
  #values: unknown[][]
  #rows = 0
  #size = 0

  constructor(columns: readonly ParquetColumn[]) {
    this.#columns = columns
    this.#values = columns.map(() => [])
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: schemaOf(columns, 'written'),
      codec: 'GZIP',
      compressors: { GZIP: (input) => gzipSync(input, GZIP) },
      createdBy: 'llm-observatory',
    })
  }

  /** Takes a row, a value a column. @returns the bytes of a group of rows, where this one made it full. */
  add(row: readonly unknown[]): Buffer | undefined {
    this.#rows += 1
    this.#values.forEach((values, place) => {
      const value = row[place]
      values.push(value)
      this.#size += sizeOf(value)
    })
    return this.#rows >= GROUP_ROWS || this.#size >= GROUP_BYTES ? this.#endGroup() : undefined
  }

  /** The rest of the file. */
  finish(): Buffer {
    const rest = this.#rows > 0 ? this.#endGroup() : Buffer.alloc(0)
    this.#writer.schema = schemaOf(this.#columns, 'told')
    this.#writer.finish()
    return Buffer.concat([rest, this.#taken()])
  }

  #endGroup(): Buffer {
    this.#writer.write({
      columnData: this.#columns.map(({ name, type }, place) => ({
        name,
        data: this.#values[place] ?? [],
        // The least and the greatest value are held to the end, texts with the memory that they are cut from.
        statistics: HAS_STATISTICS.has(type),
        // A group has few pages.
        offsetIndex: false,
      })),
      rowGroupSize: this.#rows,
    })
    // Of pages and indexes, of which there are none.
    this.#writer.pendingIndexes = []
    for (const { meta_data: chunk } of this.#writer.row_groups.at(-1)?.columns ?? []) {
      if (chunk !== undefined) delete chunk.encoding_stats
    }
    this.#values = this.#columns.map(() => [])
    this.#rows = 0
    this.#size = 0
    return this.#taken()
  }

  /** What was written since, without a copy: the library goes on in a buffer of its own. */
  #taken(): Buffer {
    const bytes = this.#bytes
    const taken = Buffer.from(bytes.buffer, 0, bytes.index)
    bytes.buffer = new ArrayBuffer(1024)
    bytes.view = new DataView(bytes.buffer)
    bytes.index = 0
    return taken
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (value instanceof Uint8Array) return value.byteLength
  return Array.isArray(value) ? 8 * value.length : 8
}
