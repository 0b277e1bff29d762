import { SPAN_ID_DIGITS, TRACE_ID_DIGITS } from '../models/decode-id.ts'
import { evaluationsOfLog } from '../models/evaluations/evaluations-of-log.ts'
import { hasContent, splitContent } from '../models/gen-ai-content.ts'
import { stringifyJson } from '../models/json.ts'
import { bodyText, isBodyContent, searchedBodyText } from '../models/log-body.ts'
import type { LogRecord } from '../models/log-record.ts'
import type { ScannedLogRecord } from '../models/scan/scan-log-record.ts'
import type { CopyEncoder } from './copy-encoder.ts'
import { evaluationTarget } from './evaluation-rows.ts'
import {
  encodeOrigin,
  ORIGIN_COLUMNS,
  type RowOrigin,
  referToScannedSource,
  referToSource,
  type SourceRefs,
  type TelemetryTable,
} from './telemetry-table.ts'

/** Log records, with prompts and completions in a table beside. A body that is not a string is stored as its JSON text. */
export const LOG_RECORD_TABLE: TelemetryTable<LogRecord, SourceRefs, ScannedLogRecord> = {
  signal: 'logs',
  time: (record) => record.timeUnixNano,
  refer: referToSource,
  referScanned: referToScannedSource,
  targets: [
    {
      table: 'log_records',
      columns: [
        'time',
        'time_unix_nano',
        'resource_id',
        'scope_id',
        ...ORIGIN_COLUMNS,
        'severity_number',
        'has_content',
        'body_is_json',
        'service',
        'attributes',
        'body',
        'severity_text',
        'trace_id',
        'span_id',
        'observed_time_unix_nano',
        'event_name',
        'flags',
        'dropped_attributes_count',
      ],
      parsed: { count: () => 1, encode: encodeLogRecord },
      scanned: { count: () => 1, encode: encodeScannedLogRecord },
    },
    {
      table: 'log_contents',
      columns: ['time', ...ORIGIN_COLUMNS, 'attributes', 'body'],
      parsed: {
        count: (record) => Number(hasContentOf(record)),
        encode(encoder, record, { origin }) {
          encoder.timestamptz(record.timeUnixNano)
          encodeOrigin(encoder, origin)
          encoder.jsonb(stringifyJson(splitContent(record.attributes).content ?? {}))
          encoder.text(isBodyContent(record) ? bodyText(record) : undefined)
        },
      },
      // One that has some is never left unparsed.
      scanned: { count: () => 0, encode: () => undefined },
    },
    evaluationTarget({
      signal: 'logs',
      time: (record) => record.timeUnixNano,
      find: evaluationsOfLog,
    }),
  ],
}

function hasContentOf(record: LogRecord): boolean {
  return hasContent(record.attributes) || isBodyContent(record)
}

interface LogRecordRow {
  readonly refs: SourceRefs
  readonly origin: RowOrigin
}

function encodeLogRecord(encoder: CopyEncoder, record: LogRecord, { refs, origin }: LogRecordRow): void {
  const { body } = record
  const { attributes } = splitContent(record.attributes)
  encoder.timestamptz(record.timeUnixNano)
  encoder.int8(record.timeUnixNano)
  encoder.int8(refs.resourceId)
  encoder.int8(refs.scopeId)
  encodeOrigin(encoder, origin)
  encoder.int2(record.severityNumber)
  encoder.bool(hasContentOf(record))
  encoder.bool(body !== undefined && typeof body !== 'string')
  encoder.text(record.service)
  encoder.jsonb(stringifyJson(attributes))
  encoder.text(searchedBodyText(record))
  encoder.text(record.severityText)
  encoder.hex(record.traceId)
  encoder.hex(record.spanId)
  encoder.int8(record.observedTimeUnixNano)
  encoder.text(record.eventName)
  encoder.int8(record.flags)
  encoder.int8(record.droppedAttributesCount)
}

function encodeScannedLogRecord(
  encoder: CopyEncoder,
  record: ScannedLogRecord,
  { refs, origin }: LogRecordRow,
): void {
  const { bytes, micros, nanos, observedMicros } = record
  encoder.timestamptzOfMicros(micros)
  encoder.unixNano(micros, nanos)
  encoder.int8(refs.resourceId)
  encoder.int8(refs.scopeId)
  encodeOrigin(encoder, origin)
  encoder.int2(record.severityNumber)
  encoder.bool(false)
  encoder.bool(false)
  encoder.text(record.source.service)
  encoder.object(record.attributes)
  encoder.utf8(bytes, record.bodyFrom, record.bodyTo)
  encoder.text(record.severityText)
  encoder.hexDigits(bytes, record.traceIdAt, TRACE_ID_DIGITS)
  encoder.hexDigits(bytes, record.spanIdAt, SPAN_ID_DIGITS)
  encoder.unixNano(observedMicros, record.observedNanos)
  encoder.utf8(bytes, record.eventNameFrom, record.eventNameTo)
  encoder.int8(record.flags)
  encoder.int8(record.droppedAttributesCount)
}
