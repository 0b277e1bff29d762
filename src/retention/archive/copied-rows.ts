/** "PGCOPY\n\377\r\n\0", then 32 bits of flags and the length of a header extension, both zero. */
export const COPY_HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex')
/** A field count of -1. */
export const COPY_TRAILER = Buffer.from([0xff, 0xff])

/** A row as COPY BINARY has it, and its fields, which are parts of it; null is null. */
export interface CopiedRow {
  readonly bytes: Buffer
  readonly fields: readonly (Buffer | null)[]
}

/**
 * The rows of COPY BINARY (PostgreSQL documentation, "COPY", section "Binary Format"), as many at a time as a chunk has.
 *
 * @throws RangeError for what is no such stream, or one that ends too early.
 */
export async function* copiedRows(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly CopiedRow[]> {
  let rest: Buffer = Buffer.alloc(0)
  let hasBegun = false
  let hasEnded = false
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    if (!hasBegun) {
      if (bytes.length < COPY_HEADER.length) {
        rest = bytes
        continue
      }
      if (!bytes.subarray(0, COPY_HEADER.length).equals(COPY_HEADER))
        throw new RangeError('PostgreSQL sent a COPY with another header than that of its binary format')
      at = COPY_HEADER.length
      hasBegun = true
    }
    const rows: CopiedRow[] = []
    for (;;) {
      hasEnded ||= at + 2 <= bytes.length && bytes.readInt16BE(at) === -1
      const row = hasEnded ? undefined : rowAt(bytes, at)
      if (row === undefined) break
      rows.push(row)
      at += row.bytes.length
    }
    rest = bytes.subarray(at)
    if (rows.length > 0) yield rows
  }
  if (!hasEnded) throw new RangeError('PostgreSQL ended a COPY before its end')
}

/** The fields of a row as COPY BINARY has it. */
export function fieldsOfRow(bytes: Buffer): CopiedRow['fields'] {
  return rowAt(bytes, 0)?.fields ?? []
}

/** Undefined where the row is not there whole yet. */
function rowAt(bytes: Buffer, start: number): CopiedRow | undefined {
  if (start + 2 > bytes.length) return undefined
  const count = bytes.readInt16BE(start)
  const fields: (Buffer | null)[] = []
  let at = start + 2
  for (let field = 0; field < count; field += 1) {
    if (at + 4 > bytes.length) return undefined
    const length = bytes.readInt32BE(at)
    at += 4
    if (length < 0) fields.push(null)
    else {
      if (at + length > bytes.length) return undefined
      fields.push(bytes.subarray(at, at + length))
      at += length
    }
  }
  return { bytes: bytes.subarray(start, at), fields }
}

/** A row of COPY BINARY of these fields. */
export function copyRowOf(fields: readonly (Buffer | null)[]): Buffer {
  const length = fields.reduce((sum, field) => sum + 4 + (field?.length ?? 0), 2)
  const bytes = Buffer.allocUnsafe(length)
  let at = bytes.writeInt16BE(fields.length)
  for (const field of fields) {
    at = bytes.writeInt32BE(field?.length ?? -1, at)
    if (field !== null) at += field.copy(bytes, at)
  }
  return bytes
}
