import type { Readable } from 'node:stream'
import type pg from 'pg'
import type { Attributes, AttributeValue } from '../models/attributes.ts'
import type { ContentLog } from '../models/conversation/conversation.ts'
import { parseJson } from '../models/json.ts'
import { type FilterColumns, filterSql, type RecordFilter } from './filter.ts'
import { streamRows } from './stream-rows.ts'

export const LOG_RECORD_COLUMNS: FilterColumns = {
  time: 'time',
  timeUnixNano: 'time_unix_nano',
  texts: { service: 'service', environment: 'environment', name: 'event_name' },
  traceId: 'trace_id',
  spanId: 'span_id',
  severityNumber: 'severity_number',
  attributes: 'hot_attributes',
}

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

/** Which entry a message of a conversation came in, and the span it was said in. */
export interface MessagePlace {
  readonly spanId: string
  readonly entryMs: string
  readonly entrySeq: string
  readonly recordIndex: number
}

/** Reads log records. */
export class LogRecordRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Log records that match, newest first: a stream of rows with one column, the record as JSON text. */
  streamLogRecords(filter: RecordFilter, signal: AbortSignal): Promise<Readable> {
    const { text, values } = filterSql(filter, LOG_RECORD_COLUMNS)
    return streamRows(this.#pool, { text: `select ${LOG_RECORD_JSON} from log_view ${text}`, values }, signal)
  }

  /** Where the log records of a trace are in which something is said, the oldest at most `limit`. */
  async messagePlaces(traceId: string, limit: number): Promise<readonly MessagePlace[]> {
    const { rows } = await this.#pool.query<MessagePlace>(
      `select encode(span_id, 'hex') as "spanId", entry_ms as "entryMs", entry_seq as "entrySeq",
              record_index as "recordIndex"
         from log_records where trace_id = $1::uuid and has_content and span_id is not null
        order by time_unix_nano, entry_ms, entry_seq, record_index limit $2`,
      [traceId, limit],
    )
    return rows
  }

  /** These messages of a trace, in the order in which they were said. */
  async messages(traceId: string, places: readonly MessagePlace[]): Promise<readonly ContentLog[]> {
    const { rows } = await this.#pool.query<{ event: string; body: string | null; attributes: string }>(
      `select coalesce(event_name, attributes ->> 'event.name', '') as event, attributes::text as attributes,
              case when body_is_json then body else to_json(body)::text end as body
         from log_view
         join unnest($2::bigint[], $3::bigint[], $4::int[]) as placed (entry_ms, entry_seq, record_index)
           using (entry_ms, entry_seq, record_index)
        where trace_id = $1::uuid order by time_unix_nano, entry_ms, entry_seq, record_index`,
      [
        traceId,
        places.map(({ entryMs }) => entryMs),
        places.map(({ entrySeq }) => entrySeq),
        places.map(({ recordIndex }) => recordIndex),
      ],
    )
    return rows.map(({ event, body, attributes }) => ({
      eventName: event,
      body: body === null ? undefined : (parseJson(body).value as AttributeValue),
      attributes: parseJson(attributes).value as Attributes,
    }))
  }
}
