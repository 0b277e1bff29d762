import { pipeline, Readable } from 'node:stream'
import { createGunzip, createGzip } from 'node:zlib'
import { ParquetEncoder } from '../../parquet/parquet-encoder.ts'
import { readParquet } from '../../parquet/read-parquet.ts'
import type { ArchiveFormat } from '../../settings.ts'
import type { ArchiveStorage } from './archive-storage.ts'
import { type CopiedRow, copyRowOf } from './copied-rows.ts'
import { FIELD_TYPES, type FieldType } from './field-types.ts'

/** A column of a table: its name and its type in PostgreSQL. */
export interface ArchivedColumn {
  readonly name: string
  readonly type: string
}

/** Lines of NDJSON that are compressed at once. */
const LINES_BYTES = 64 * 1024

export const FILE_ENDINGS: Readonly<Record<ArchiveFormat, string>> = {
  parquet: 'parquet',
  ndjson: 'ndjson.gz',
}

/** Rows as a file, as they come. */
export function encodeRows(
  format: ArchiveFormat,
  columns: readonly ArchivedColumn[],
  rows: AsyncIterable<readonly CopiedRow[]>,
): AsyncIterable<Buffer> {
  return format === 'parquet' ? parquetOf(columns, rows) : ndjsonOf(columns, rows)
}

/** The rows of a file, each as COPY BINARY has it, some at a time. @throws Error for a file that is cut off or has other columns. */
export function decodeRows(
  format: ArchiveFormat,
  columns: readonly ArchivedColumn[],
  file: { readonly storage: ArchiveStorage; readonly path: string; readonly bytes: number },
): AsyncIterable<readonly Buffer[]> {
  return format === 'parquet' ? rowsOfParquet(columns, file) : rowsOfNdjson(columns, file)
}

async function* parquetOf(
  columns: readonly ArchivedColumn[],
  rows: AsyncIterable<readonly CopiedRow[]>,
): AsyncGenerator<Buffer> {
  const types = columns.map(typeOf)
  const encoder = new ParquetEncoder(
    columns.map(({ name }, place) => ({ name, type: (types[place] as FieldType).parquet })),
  )
  for await (const some of rows) {
    for (const { fields } of some) {
      const values = fields.map((field, place) => (field === null ? null : types[place]?.read(field)))
      if (encoder.add(values)) yield await encoder.endGroup()
    }
  }
  yield await encoder.finish()
}

async function* rowsOfParquet(
  columns: readonly ArchivedColumn[],
  {
    storage,
    path,
    bytes,
  }: { readonly storage: ArchiveStorage; readonly path: string; readonly bytes: number },
): AsyncGenerator<readonly Buffer[]> {
  const types = columns.map(typeOf)
  const source = { byteLength: bytes, read: (start: number, end: number) => storage.read(path, start, end) }
  for await (const group of readParquet(
    source,
    columns.map(({ name }) => name),
  )) {
    yield group.map((values) =>
      copyRowOf(
        values.map((value, place) =>
          value === null ? null : (types[place] as FieldType).write(value as never),
        ),
      ),
    )
  }
}

async function* ndjsonOf(
  columns: readonly ArchivedColumn[],
  rows: AsyncIterable<readonly CopiedRow[]>,
): AsyncGenerator<Buffer> {
  const gzip = createGzip()
  // An error destroys both.
  pipeline(Readable.from(linesOf(columns, rows)), gzip, () => undefined)
  yield* gzip as AsyncIterable<Buffer>
}

async function* linesOf(
  columns: readonly ArchivedColumn[],
  rows: AsyncIterable<readonly CopiedRow[]>,
): AsyncGenerator<string> {
  const types = columns.map(typeOf)
  let lines = ''
  for await (const some of rows) {
    for (const { fields } of some) {
      const members = fields.map((field, place) => {
        const type = types[place] as FieldType
        const value = field === null ? 'null' : type.json(type.read(field) as never)
        return `${JSON.stringify(columns[place]?.name)}:${value}`
      })
      lines += `{${members.join(',')}}\n`
      if (lines.length < LINES_BYTES) continue
      yield lines
      lines = ''
    }
  }
  if (lines !== '') yield lines
}

async function* rowsOfNdjson(
  columns: readonly ArchivedColumn[],
  { storage, path }: { readonly storage: ArchiveStorage; readonly path: string },
): AsyncGenerator<readonly Buffer[]> {
  const types = columns.map(typeOf)
  const gunzip = createGunzip()
  pipeline(Readable.from(storage.stream(path)), gunzip, () => undefined)
  for await (const lines of linesIn(gunzip as AsyncIterable<Buffer>)) {
    yield lines.map((line) => {
      const values = memberValues(line, columns)
      return copyRowOf(
        values.map((json, place) => {
          const type = types[place] as FieldType
          return json === 'null' ? null : type.write(type.parse(json) as never)
        }),
      )
    })
  }
}

async function* linesIn(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly string[]> {
  let held: Buffer[] = []
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf('\n')
    held.push(end < 0 ? chunk : chunk.subarray(0, end))
    if (end < 0) continue
    yield Buffer.concat(held).toString().split('\n')
    held = [chunk.subarray(end + 1)]
  }
  if (held.some(({ length }) => length > 0)) throw new RangeError('its last line has no end')
}

/**
 * The values of a line that {@link encodeRows} wrote, as the JSON texts that they are: JSON of PostgreSQL comes back byte for byte, which no parser's would.
 *
 * @throws RangeError for a line with other members.
 */
function memberValues(line: string, columns: readonly ArchivedColumn[]): string[] {
  let at = 0
  const values = columns.map(({ name }, place) => {
    const head = `${place === 0 ? '{' : ','}${JSON.stringify(name)}:`
    if (!line.startsWith(head, at)) throw new RangeError(`a line has no member ${name} at character ${at}`)
    const start = at + head.length
    at = endOfValue(line, start)
    return line.slice(start, at)
  })
  if (line.slice(at) !== '}') throw new RangeError(`a line has more than ${columns.length} members`)
  return values
}

/** Where the JSON value that begins at `start` ends. */
function endOfValue(line: string, start: number): number {
  let depth = 0
  for (let at = start; at < line.length; at += 1) {
    const char = line[at]
    if (char === '"') {
      do {
        at = line.indexOf('"', at + 1)
        if (at < 0) throw new RangeError('a line ends in a text')
      } while (isEscaped(line, at))
    } else if (char === '{' || char === '[') depth += 1
    else if (depth === 0 && (char === ',' || char === '}')) return at
    else if (char === '}' || char === ']') depth -= 1
  }
  return line.length
}

/** Whether an odd number of backslashes stands before. */
function isEscaped(line: string, at: number): boolean {
  let slashes = 0
  while (line[at - 1 - slashes] === '\\') slashes += 1
  return slashes % 2 === 1
}

function typeOf({ name, type }: ArchivedColumn): FieldType {
  const known = FIELD_TYPES[type]
  if (known === undefined)
    throw new RangeError(`the column ${name} is of the type ${type}, which archives have no form for`)
  return known
}
