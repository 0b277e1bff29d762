import type { Readable } from 'node:stream'
import type pg from 'pg'
import { filterSql, type RecordFilter } from './filter.ts'
import { streamRows } from './stream-rows.ts'

/** A span in the shape of the wire contract, in normal form: nulls of absent fields are left out, those of attributes are kept. */
const SPAN_JSON = `
  (jsonb_strip_nulls(jsonb_build_object(
    'traceId', trace_id_hex, 'spanId', span_id, 'parentSpanId', parent_span_id, 'traceState', trace_state,
    'flags', flags, 'name', name, 'kind', kind, 'startTimeUnixNano', start_time_unix_nano::text,
    'endTimeUnixNano', end_time_unix_nano::text, 'status', jsonb_build_object('code', status, 'message', status_message),
    'droppedAttributesCount', dropped_attributes_count, 'droppedEventsCount', dropped_events_count,
    'droppedLinksCount', dropped_links_count, 'service', service))
  || jsonb_build_object(
    'attributes', attributes, 'events', events, 'links', links,
    'resource', jsonb_strip_nulls(jsonb_build_object('schemaUrl', resource_schema_url))
      || jsonb_build_object('attributes', resource_attributes),
    'scope', jsonb_strip_nulls(
      jsonb_build_object('name', scope_name, 'version', scope_version, 'schemaUrl', scope_schema_url))
      || jsonb_build_object('attributes', scope_attributes)))::text`

/** Reads traces. */
export class TraceRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Spans that match, newest first: a stream of rows with one column, the span as JSON text. */
  streamSpans(filter: RecordFilter, signal: AbortSignal): Promise<Readable> {
    const { text, values } = filterSql(filter, {
      time: 'start_time',
      timeUnixNano: 'start_time_unix_nano',
      name: 'name',
      traceId: 'trace_id',
    })
    return streamRows(this.#pool, { text: `select ${SPAN_JSON} from span_view ${text}`, values }, signal)
  }
}
