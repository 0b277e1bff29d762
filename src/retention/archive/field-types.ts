import type { ParquetType } from '../../parquet/parquet-column.ts'
import { numericField, numericText } from './numeric-field.ts'

/** How values of a type of PostgreSQL are archived: there and back, bit for bit. */
export interface FieldType {
  readonly parquet: ParquetType
  /** A field of COPY BINARY as a value of Parquet, and back. */
  readonly read: (field: Buffer) => unknown
  readonly write: (value: never) => Buffer
  /** A value of Parquet as JSON text, and back. */
  readonly json: (value: never) => string
  readonly parse: (json: string) => unknown
}

/** Microseconds between 1970 and 2000, where PostgreSQL begins to count. */
const EPOCH_MICROS = 946_684_800_000_000n
const INT8_OID = 20
const FLOAT8_OID = 701

const WORDS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
}

const int8 = {
  read: (field: Buffer) => field.readBigInt64BE(),
  write: (value: bigint) => sized(8, (bytes) => bytes.writeBigInt64BE(value)),
}

const float8 = {
  read: (field: Buffer) => field.readDoubleBE(),
  write: (value: number) => sized(8, (bytes) => bytes.writeDoubleBE(value)),
}

/** Every type that a column of a telemetry table has, by its name in PostgreSQL. */
export const FIELD_TYPES: Readonly<Record<string, FieldType>> = {
  boolean: {
    parquet: 'boolean',
    read: (field) => field[0] === 1,
    write: (value: boolean) => Buffer.from([value ? 1 : 0]),
    json: String,
    parse: (json) => json === 'true',
  },
  smallint: {
    parquet: 'int32',
    read: (field) => field.readInt16BE(),
    write: (value: number) => sized(2, (bytes) => bytes.writeInt16BE(value)),
    json: String,
    parse: Number,
  },
  integer: {
    parquet: 'int32',
    read: (field) => field.readInt32BE(),
    write: (value: number) => sized(4, (bytes) => bytes.writeInt32BE(value)),
    json: String,
    parse: Number,
  },
  bigint: { parquet: 'int64', ...int8, json: String, parse: BigInt },
  'double precision': { parquet: 'double', ...float8, json: doubleJson, parse: doubleOf },
  numeric: {
    parquet: 'string',
    read: (field) => numericText(field),
    write: (value: string | Uint8Array) => numericField(textOf(value)),
    json: (value: string | Uint8Array) => JSON.stringify(textOf(value)),
    parse: JSON.parse,
  },
  text: {
    parquet: 'string',
    read: itself,
    write: bufferOf,
    json: (value: Uint8Array) => JSON.stringify(textOf(value)),
    parse: (json) => Buffer.from(JSON.parse(json) as string),
  },
  jsonb: {
    parquet: 'json',
    // Its version comes first, which is 1.
    read: (field) => field.subarray(1),
    write: (value: Uint8Array) => Buffer.concat([Buffer.from([1]), value]),
    json: (value: Uint8Array) => textOf(value),
    parse: (json) => Buffer.from(json),
  },
  bytea: {
    parquet: 'bytes',
    read: itself,
    write: bufferOf,
    json: (value: Uint8Array) => JSON.stringify(bufferOf(value).toString('hex')),
    parse: hexOf,
  },
  uuid: {
    parquet: 'uuid',
    read: itself,
    write: bufferOf,
    json: (value: Uint8Array) =>
      JSON.stringify(
        bufferOf(value)
          .toString('hex')
          .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
      ),
    parse: hexOf,
  },
  'timestamp with time zone': {
    parquet: 'timestampMicros',
    read: (field) => field.readBigInt64BE() + EPOCH_MICROS,
    write: (value: bigint) => int8.write(value - EPOCH_MICROS),
    json: (micros: bigint) => JSON.stringify(timeText(micros)),
    parse: (json) => microsOf(JSON.parse(json) as string),
  },
  'bigint[]': {
    parquet: 'int64List',
    read: (field) => readArray(field, int8.read),
    write: (values: readonly (bigint | null)[]) => writeArray(values, INT8_OID, int8.write),
    json: (values: readonly unknown[]) => `[${values.map((value) => String(value ?? null)).join(',')}]`,
    parse: (json) => elementsOf(json).map((element) => (element === 'null' ? null : BigInt(element))),
  },
  'double precision[]': {
    parquet: 'doubleList',
    read: (field) => readArray(field, float8.read),
    write: (values: readonly (number | null)[]) => writeArray(values, FLOAT8_OID, float8.write),
    json: (values: readonly (number | null)[]) =>
      `[${values.map((value) => (value === null || value === undefined ? 'null' : doubleJson(value))).join(',')}]`,
    parse: (json) => elementsOf(json).map((element) => (element === 'null' ? null : doubleOf(element))),
  },
}

function sized(length: number, write: (bytes: Buffer) => unknown): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  write(bytes)
  return bytes
}

function itself(field: Buffer): Buffer {
  return field
}

function bufferOf(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function textOf(value: string | Uint8Array): string {
  return typeof value === 'string' ? value : bufferOf(value).toString()
}

function hexOf(json: string): Buffer {
  return Buffer.from((JSON.parse(json) as string).replaceAll('-', ''), 'hex')
}

/** JSON has no word for what is no number, nor a zero that is negative in every reader. */
function doubleJson(value: number): string {
  if (Object.is(value, -0)) return '-0.0'
  return Number.isFinite(value) ? String(value) : JSON.stringify(String(value))
}

function doubleOf(json: string): number {
  return json.startsWith('"') ? (WORDS[JSON.parse(json) as string] ?? Number.NaN) : Number(json)
}

function timeText(micros: bigint): string {
  const thousandths = ((micros % 1000n) + 1000n) % 1000n
  const iso = new Date(Number((micros - thousandths) / 1000n)).toISOString()
  return `${iso.slice(0, -1)}${String(thousandths).padStart(3, '0')}Z`
}

function microsOf(text: string): bigint {
  return BigInt(Date.parse(`${text.slice(0, -4)}Z`)) * 1000n + BigInt(text.slice(-4, -1))
}

function elementsOf(json: string): string[] {
  return json === '[]' ? [] : json.slice(1, -1).split(',')
}

/** One dimension that begins at 1, as all of ours do, or none. */
function readArray<T>(field: Buffer, readElement: (element: Buffer) => T): (T | null)[] {
  const dimensions = field.readInt32BE(0)
  if (dimensions === 0) return []
  if (dimensions !== 1 || field.readInt32BE(16) !== 1)
    throw new RangeError(
      'an array of several dimensions, or one that does not begin at 1, cannot be archived',
    )
  const values: (T | null)[] = []
  let at = 20
  for (let left = field.readInt32BE(12); left > 0; left -= 1) {
    const length = field.readInt32BE(at)
    at += 4
    values.push(length < 0 ? null : readElement(field.subarray(at, at + length)))
    at += Math.max(0, length)
  }
  return values
}

function writeArray<T>(
  values: readonly (T | null | undefined)[],
  elementOid: number,
  writeElement: (value: T) => Buffer,
): Buffer {
  const hasNull = values.some((value) => value === null || value === undefined)
  const head = Buffer.alloc(values.length === 0 ? 12 : 20)
  head.writeInt32BE(values.length === 0 ? 0 : 1, 0)
  head.writeInt32BE(hasNull ? 1 : 0, 4)
  head.writeInt32BE(elementOid, 8)
  if (values.length > 0) {
    head.writeInt32BE(values.length, 12)
    head.writeInt32BE(1, 16)
  }
  const elements = values.flatMap((value) => {
    if (value === null || value === undefined) return [sized(4, (bytes) => bytes.writeInt32BE(-1))]
    const bytes = writeElement(value)
    return [sized(4, (length) => length.writeInt32BE(bytes.length)), bytes]
  })
  return Buffer.concat([head, ...elements])
}
