import type { Readable } from 'node:stream'
import type pg from 'pg'
import { filterSql, type RecordFilter } from './filter.ts'
import { streamRows } from './stream-rows.ts'

/** A log record in the shape of the wire contract, in normal form. */
const LOG_RECORD_JSON = `
  (jsonb_strip_nulls(jsonb_build_object(
    'timeUnixNano', time_unix_nano::text, 'observedTimeUnixNano', observed_time_unix_nano::text,
    'severityNumber', nullif(severity_number, 0), 'severityText', severity_text, 'eventName', event_name,
    'traceId', trace_id_hex, 'spanId', span_id, 'flags', flags,
    'droppedAttributesCount', dropped_attributes_count, 'service', service))
  || case when body is null then '{}' else
       jsonb_build_object('body', case when body_is_json then body::jsonb else to_jsonb(body) end) end
  || jsonb_build_object(
    'attributes', attributes,
    'resource', jsonb_strip_nulls(jsonb_build_object('schemaUrl', resource_schema_url))
      || jsonb_build_object('attributes', resource_attributes),
    'scope', jsonb_strip_nulls(
      jsonb_build_object('name', scope_name, 'version', scope_version, 'schemaUrl', scope_schema_url))
      || jsonb_build_object('attributes', scope_attributes)))::text`

/** Reads log records. */
export class LogRecordRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Log records that match, newest first: a stream of rows with one column, the record as JSON text. */
  streamLogRecords(filter: RecordFilter, signal: AbortSignal): Promise<Readable> {
    const { text, values } = filterSql(filter, {
      time: 'time',
      timeUnixNano: 'time_unix_nano',
      traceId: 'trace_id',
      severityNumber: 'severity_number',
    })
    return streamRows(this.#pool, { text: `select ${LOG_RECORD_JSON} from log_view ${text}`, values }, signal)
  }
}
