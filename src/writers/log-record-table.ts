import { stringifyJson } from '../models/json.ts'
import type { LogRecord } from '../models/log-record.ts'
import {
  encodeOrigin,
  ORIGIN_COLUMNS,
  referToSource,
  type SourceRefs,
  type TelemetryTable,
} from './telemetry-table.ts'

/** Log records. A body that is not a string is stored as its JSON text. */
export const LOG_RECORD_TABLE: TelemetryTable<LogRecord, SourceRefs> = {
  signal: 'logs',
  time: (record) => record.timeUnixNano,
  refer: referToSource,
  targets: [
    {
      table: 'log_records',
      has: () => true,
      columns: [
        'time',
        'time_unix_nano',
        'resource_id',
        'scope_id',
        ...ORIGIN_COLUMNS,
        'severity_number',
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
      encode(encoder, record, { refs, origin }) {
        const { body } = record
        const bodyIsJson = body !== undefined && typeof body !== 'string'
        encoder.timestamptz(record.timeUnixNano)
        encoder.int8(record.timeUnixNano)
        encoder.int8(refs.resourceId)
        encoder.int8(refs.scopeId)
        encodeOrigin(encoder, origin)
        encoder.int2(record.severityNumber)
        encoder.bool(bodyIsJson)
        encoder.text(record.service)
        encoder.attributes(record.attributes)
        encoder.text(bodyIsJson ? stringifyJson(body) : body)
        encoder.text(record.severityText)
        encoder.hex(record.traceId)
        encoder.hex(record.spanId)
        encoder.int8(record.observedTimeUnixNano)
        encoder.text(record.eventName)
        encoder.int8(record.flags)
        encoder.int8(record.droppedAttributesCount)
      },
    },
  ],
}
