import { setImmediate as nextTurn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { RowGroup } from 'hyparquet'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { type ParquetColumn, type ParquetType, schemaOf } from './parquet-column.ts'

/** Rows of a group, which is what is held. Files are read by groups too, so they should not be small. */
const GROUP_ROWS = 5000
/** Of values, about: rows of large texts make groups of fewer rows. */
const GROUP_BYTES = 4 * 1024 * 1024

/** Of what gzip can do most comes at once: 6 takes half as long again for a tenth less. */
const GZIP = { level: 1 }

/** Encoding a group of spans takes 80 ms, a column of it 2, that of attributes 20: others have their turn in between. */
const TURN_MS = 5

const HAS_STATISTICS: ReadonlySet<ParquetType> = new Set([
  'int32',
  'int64',
  'double',
  'timestampNanos',
  'timestampMicros',
])

/**
 * Makes a Parquet file of rows, as much of it at a time as a group of rows. Bytes come by {@link endGroup} and {@link finish}, in order; the footer comes last, so a file that
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

  /** Takes a row, a value a column. @returns whether the group is full: then it is to be ended. */
  add(row: readonly unknown[]): boolean {
    this.#rows += 1
    this.#values.forEach((values, place) => {
      const value = row[place]
      values.push(value)
      this.#size += sizeOf(value)
    })
    return this.#rows >= GROUP_ROWS || this.#size >= GROUP_BYTES
  }

  /** The bytes of the rows since the group before. No row is added until they are there. */
  async endGroup(): Promise<Buffer> {
    const writer = this.#writer
    const { row_groups: groups } = writer
    const before = groups.length
    let turnMs = performance.now()
    for (const [place, { name, type }] of this.#columns.entries()) {
      // The least and the greatest value are held to the end, texts with the memory that they are cut from. A group has few pages, of which no index is needed.
      const column = {
        name,
        data: this.#values[place] ?? [],
        statistics: HAS_STATISTICS.has(type),
        offsetIndex: false,
      }
      // The library takes it for a group with one column.
      writer.write({ columnData: [column], rowGroupSize: this.#rows })
      this.#values[place] = []
      if (performance.now() - turnMs < TURN_MS) continue
      await nextTurn()
      turnMs = performance.now()
    }
    groups.push(joined(groups.splice(before)))
    writer.num_rows -= BigInt(this.#rows * (this.#columns.length - 1))
    // Of pages and indexes, of which there are none.
    writer.pendingIndexes = []
    this.#rows = 0
    this.#size = 0
    return this.#taken()
  }

  /** The rest of the file. */
  async finish(): Promise<Buffer> {
    const rest = this.#rows > 0 ? await this.endGroup() : Buffer.alloc(0)
    this.#writer.schema = schemaOf(this.#columns, 'told')
    this.#writer.finish()
    return Buffer.concat([rest, this.#taken()])
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

/** Groups of the same rows with a column each as one, without what its reader does not need. */
function joined(groups: readonly RowGroup[]): RowGroup {
  const columns = groups.flatMap((group) => group.columns)
  for (const { meta_data: chunk } of columns) if (chunk !== undefined) delete chunk.encoding_stats
  return {
    columns,
    num_rows: groups[0]?.num_rows ?? 0n,
    total_byte_size: groups.reduce((sum, group) => sum + group.total_byte_size, 0n),
    total_compressed_size: groups.reduce((sum, group) => sum + (group.total_compressed_size ?? 0n), 0n),
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (value instanceof Uint8Array) return value.byteLength
  return Array.isArray(value) ? 8 * value.length : 8
}
