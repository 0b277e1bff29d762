import type { SchemaElement } from 'hyparquet'

/** A column of a Parquet file. Any value may be null. */
export interface ParquetColumn {
  readonly name: string
  readonly type: ParquetType
}

interface ElementOfType {
  /** As the library is to write values: those of bytes as they are. */
  readonly written: Partial<SchemaElement>
  /** What readers are told beside it. */
  readonly told?: Partial<SchemaElement>
  readonly isList?: true
}

/** Dollars: computed costs have 12 digits after the point. */
export const DECIMAL_SCALE = 18

const INT64 = { type: 'INT64' } as const
const DOUBLE = { type: 'DOUBLE' } as const
const BYTES = { type: 'BYTE_ARRAY' } as const

/**
 * Values by type: boolean; number for `int32` and `double`; bigint for `int64`, the timestamps (since 1970) and `decimal` (times 10^18); text, or its bytes in UTF-8, for `string` and
 * `json`; bytes for `bytes` and `uuid`; arrays of bigint or number for the lists.
 *
 * Readers older than logical types know text and JSON by the converted type alone, and DuckDB does so too; but the library, told of it, would encode again what is JSON already.
 */
const ELEMENTS = {
  boolean: { written: { type: 'BOOLEAN' } },
  int32: { written: { type: 'INT32' } },
  int64: { written: INT64 },
  double: { written: DOUBLE },
  string: { written: BYTES, told: { converted_type: 'UTF8', logical_type: { type: 'STRING' } } },
  json: { written: BYTES, told: { converted_type: 'JSON', logical_type: { type: 'JSON' } } },
  bytes: { written: BYTES },
  uuid: {
    written: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16 },
    told: { logical_type: { type: 'UUID' } },
  },
  timestampNanos: {
    written: { ...INT64, logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'NANOS' } },
  },
  timestampMicros: {
    written: { ...INT64, logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } },
    told: { converted_type: 'TIMESTAMP_MICROS' },
  },
  decimal: {
    written: {
      type: 'FIXED_LEN_BYTE_ARRAY',
      type_length: 16,
      converted_type: 'DECIMAL',
      precision: 38,
      scale: DECIMAL_SCALE,
      logical_type: { type: 'DECIMAL', precision: 38, scale: DECIMAL_SCALE },
    },
  },
  int64List: { written: INT64, isList: true },
  doubleList: { written: DOUBLE, isList: true },
} as const satisfies Readonly<Record<string, ElementOfType>>

export type ParquetType = keyof typeof ELEMENTS

/** The schema of a file of these columns: `written` for the library, `told` for its readers. */
export function schemaOf(columns: readonly ParquetColumn[], whom: 'written' | 'told'): SchemaElement[] {
  const root = { name: 'root', num_children: columns.length }
  return [root, ...columns.flatMap((column) => elementsOf(column, whom))]
}

function elementsOf({ name, type }: ParquetColumn, whom: 'written' | 'told'): SchemaElement[] {
  const { written, told, isList }: ElementOfType = ELEMENTS[type]
  const value = { ...written, ...(whom === 'told' && told), repetition_type: 'OPTIONAL' } as const
  if (isList !== true) return [{ name, ...value }]
  return [
    {
      name,
      repetition_type: 'OPTIONAL',
      converted_type: 'LIST',
      logical_type: { type: 'LIST' },
      num_children: 1,
    },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', ...value },
  ]
}
