import type { AttributeValue } from '../../models/attributes.ts'
import { readRow } from '../query/table-column.ts'
import type { Format } from './line.ts'
import { logfmtPair } from './logfmt-pair.ts'
import { RECORD_FIELDS } from './record-fields.ts'
import type { TailedRecord } from './tailed-record.ts'

const { time, level, durationMs } = RECORD_FIELDS

/** In this order. What a record does not have is left out. */
const FIELDS: Readonly<Record<string, (record: TailedRecord) => AttributeValue | undefined>> = {
  time,
  level,
  durationMs,
  status: ({ status }) => status?.code,
  statusMessage: ({ status }) => status?.message,
  kind: ({ kind }) => kind,
  service: ({ service }) => service,
  eventName: ({ eventName }) => eventName,
  name: ({ name }) => name,
  body: ({ body }) => body,
  type: ({ type }) => type,
  value: ({ value }) => value,
  count: ({ count }) => count,
  sum: ({ sum }) => sum,
  min: ({ min }) => min,
  max: ({ max }) => max,
  unit: ({ unit }) => unit,
  traceId: ({ traceId }) => traceId,
  spanId: ({ spanId }) => spanId,
  parentSpanId: ({ parentSpanId }) => parentSpanId,
}

/** A record as `key=value` pairs, attributes under their own keys. Whole, and safe for a terminal. */
export function logfmtLine(json: string): ReturnType<Format> {
  const record = readRow<TailedRecord>(json)
  const fields = Object.entries(FIELDS).flatMap(([key, read]) => {
    const value = read(record)
    return value === undefined ? [] : [logfmtPair(key, value)]
  })
  const attributes = Object.entries(record.attributes ?? {}).map(([key, value]) =>
    // Of two of one key a reader would not know which is which.
    logfmtPair(Object.hasOwn(FIELDS, key) ? `attributes.${key}` : key, value),
  )
  return [{ text: [...fields, ...attributes].join(' ') }]
}
