import type { Readable } from 'node:stream'
import type pg from 'pg'
import type { Attributes, AttributeValue } from '../models/attributes.ts'
import type { ContentLog } from '../models/conversation/conversation.ts'
import { parseJson } from '../models/json.ts'
import type { FilterColumns, RecordFilter } from './filter.ts'
import { objectSql, plainMember, textMember, wordMember } from './json-text-sql.ts'
import { ORIGIN_COLUMNS, ORIGIN_MEMBERS } from './origin-members.ts'
import { pageRecords } from './page-records.ts'
import { type RecordSource, rowsSql } from './record-source.ts'
import { type StreamOptions, streamRecords } from './stream-records.ts'
import { readRows } from './stream-rows.ts'
import { nearQuery, widened } from './time-ranges.ts'
import type { FoundTrace } from './trace-repository.ts'

const HOUR_MS = 3_600_000

export const LOG_RECORD_COLUMNS: FilterColumns = {
  time: 'time',
  timeUnixNano: 'time_unix_nano',
  texts: { service: 'service', environment: 'environment', name: 'event_name' },
  traceId: 'trace_id',
  spanId: 'span_id',
  severityNumber: 'severity_number',
  attributes: 'hot_attributes',
  body: 'hot_body',
}

/** A log record in the shape of the wire contract, in normal form. */
const LOG_RECORD_JSON = objectSql([
  wordMember('timeUnixNano', 'time_unix_nano'),
  wordMember('observedTimeUnixNano', 'observed_time_unix_nano'),
  plainMember('severityNumber', 'nullif(severity_number, 0)'),
  textMember('severityText', 'severity_text'),
  textMember('eventName', 'event_name'),
  wordMember('traceId', 'trace_id_hex'),
  wordMember('spanId', 'span_id'),
  plainMember('flags', 'flags'),
  plainMember('droppedAttributesCount', 'dropped_attributes_count'),
  textMember('service', 'service'),
  plainMember('body', 'case when body_is_json then body::jsonb::text else to_json(body)::text end'),
  plainMember('attributes', 'attributes'),
  ...ORIGIN_MEMBERS,
])

export const LOG_RECORDS: RecordSource = {
  table: 'log_records',
  view: 'log_view',
  columns: LOG_RECORD_COLUMNS,
  rowsFunction: 'log_rows',
  isIndexedByService: true,
  json: LOG_RECORD_JSON,
  csv: [
    ['timeUnixNano', 'time_unix_nano::text'],
    ['severityNumber', 'severity_number::text'],
    ['severityText', 'severity_text'],
    ['level', 'level'],
    ['service', 'service'],
    ['environment', 'environment'],
    ['eventName', 'event_name'],
    ['body', 'body'],
    ['traceId', 'trace_id_hex'],
    ['spanId', 'span_id'],
    ['attributes', 'attributes::text'],
    ['resource', 'resource_attributes::text'],
    ['scopeName', 'scope_name'],
    ['scopeVersion', 'scope_version'],
  ],
  parquet: [
    { name: 'time', type: 'timestampNanos', sql: 'time_unix_nano' },
    { name: 'observedTime', type: 'timestampNanos', sql: 'observed_time_unix_nano' },
    { name: 'timeUnixNano', type: 'int64', sql: 'time_unix_nano' },
    { name: 'observedTimeUnixNano', type: 'int64', sql: 'observed_time_unix_nano' },
    { name: 'severityNumber', type: 'int32', sql: 'severity_number' },
    { name: 'severityText', type: 'string', sql: 'severity_text' },
    { name: 'level', type: 'string', sql: 'level' },
    { name: 'service', type: 'string', sql: 'service' },
    { name: 'environment', type: 'string', sql: 'environment' },
    { name: 'eventName', type: 'string', sql: 'event_name' },
    { name: 'body', type: 'string', sql: 'body' },
    { name: 'bodyIsJson', type: 'boolean', sql: 'body_is_json' },
    { name: 'traceId', type: 'string', sql: 'trace_id_hex' },
    { name: 'spanId', type: 'string', sql: 'span_id' },
    { name: 'flags', type: 'int64', sql: 'flags' },
    { name: 'attributes', type: 'json', sql: 'attributes::text' },
    { name: 'droppedAttributesCount', type: 'int64', sql: 'dropped_attributes_count' },
    ...ORIGIN_COLUMNS,
  ],
}

/** What a message takes of the limit, about. */
const BYTES = '1000 + coalesce(octet_length(body), 0) + octet_length(attributes::text)'

/** A log record in which something is said, and the span that it was said in. */
export interface TraceMessage extends ContentLog {
  readonly spanId: string
}

/** Reads log records. Units and errors are those of every repository: see TraceRepository. */
export class LogRecordRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /**
   * All log records that match, as `limit` and `order` say: a stream of rows with one column, the record as JSON text in the shape of the wire contract, or those of CSV or Parquet: see
   * {@link streamRecords}.
   */
  streamLogRecords(filter: RecordFilter, options: StreamOptions): Promise<Readable> {
    return streamRecords(this.#pool, LOG_RECORDS, filter, options)
  }

  /** A page of log records and one more: a stream of {@link PageRow}, the newest first unless `order` says otherwise: see {@link pageRecords}. */
  pageLogRecords(filter: RecordFilter & { readonly limit: number }, signal: AbortSignal): Promise<Readable> {
    return pageRecords(this.#pool, LOG_RECORDS, filter, signal)
  }

  /**
   * The log records of a trace in which something is said, in the order in which it was, as many as have at most `maxBytes` together; `isCut` where
   * there are more. Looked for within an hour of the starts of its spans, at least.
   */
  async messages(
    { traceId, range }: FoundTrace,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<{ readonly messages: readonly TraceMessage[]; readonly isCut: boolean }> {
    const near = widened(range, HOUR_MS, HOUR_MS)
    const order = 'order by time_unix_nano, entry_ms, entry_seq, record_index'
    const query = await nearQuery(
      this.#pool,
      { name: 'messages of trace', table: 'log_records', range: near },
      (ends, values) => {
        const id = `$${values.push(traceId)}::uuid`
        const most = `$${values.push(maxBytes)}`
        return `
          select span_id, event_name, case when bytes <= ${most} then attributes::text end,
            case when bytes <= ${most} then case when body_is_json then body else to_json(body)::text end end
          from (
            select *, sum(${BYTES}) over (${order}) as bytes
            from (
              select span_id, event_name, attributes, body, body_is_json, time_unix_nano, entry_ms, entry_seq, record_index
              from ${rowsSql(LOG_RECORDS, ends)} where trace_id = ${id} and has_content and span_id is not null
            ) as said
          ) as summed
          where bytes - (${BYTES}) <= ${most} ${order}`
      },
    )
    const rows = await readRows<readonly [string, string | null, string | null, string | null]>(
      this.#pool,
      query,
      signal,
    )
    // The first that passes the limit comes without what it says.
    const messages = rows.flatMap(([spanId, eventName, attributes, body]) =>
      attributes === null
        ? []
        : [
            {
              spanId,
              eventName: eventName ?? undefined,
              attributes: parseJson(attributes).value as Attributes,
              body: body === null ? undefined : (parseJson(body).value as AttributeValue),
            },
          ],
    )
    return { messages, isCut: messages.length < rows.length }
  }
}
