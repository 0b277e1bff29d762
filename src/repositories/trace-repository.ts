import { Readable } from 'node:stream'
import type pg from 'pg'
import { CALL_TEXTS, type FilterColumns, type RecordFilter } from './filter.ts'
import { objectMember, objectSql, plainMember, textMember, wordMember } from './json-text-sql.ts'
import { ORIGIN_COLUMNS, ORIGIN_MEMBERS } from './origin-members.ts'
import { pageRecords } from './page-records.ts'
import type { TracePosition } from './page-token.ts'
import { pageTraces, streamTraces, type TracePage } from './page-traces.ts'
import { type RecordSource, rowsSql } from './record-source.ts'
import { type StreamOptions, streamRecords } from './stream-records.ts'
import { readRows, type SmallQuery, streamRows } from './stream-rows.ts'
import {
  betweenSql,
  joinRanges,
  nearQuery,
  PLANNED_RANGES,
  partitionRanges,
  plannedQuery,
  type RangeEnds,
  type TimeRange,
} from './time-ranges.ts'
import type { TreeSpan } from './tree-order.ts'

export const SPAN_COLUMNS: FilterColumns = {
  time: 'start_time',
  timeUnixNano: 'start_time_unix_nano',
  texts: {
    service: 'service',
    environment: 'environment',
    name: 'name',
    ...CALL_TEXTS,
  },
  traceId: 'trace_id',
  spanId: 'span_id',
  statusCode: 'status_code',
  kindCode: 'kind_code',
  durationNs: 'duration_ns',
  attributes: 'hot_attributes',
}

/** A span in the shape of the wire contract, in normal form. */
const SPAN_JSON = objectSql([
  wordMember('traceId', 'trace_id_hex'),
  wordMember('spanId', 'span_id'),
  wordMember('parentSpanId', 'parent_span_id'),
  textMember('traceState', 'trace_state'),
  plainMember('flags', 'flags'),
  textMember('name', 'name'),
  wordMember('kind', 'kind'),
  wordMember('startTimeUnixNano', 'start_time_unix_nano'),
  wordMember('endTimeUnixNano', 'end_time_unix_nano'),
  objectMember('status', [wordMember('code', 'status'), textMember('message', 'status_message')]),
  plainMember('droppedAttributesCount', 'dropped_attributes_count'),
  plainMember('droppedEventsCount', 'dropped_events_count'),
  plainMember('droppedLinksCount', 'dropped_links_count'),
  textMember('service', 'service'),
  plainMember('attributes', 'attributes'),
  plainMember('events', 'events'),
  plainMember('links', 'links'),
  ...ORIGIN_MEMBERS,
])

export const SPANS: RecordSource = {
  table: 'spans',
  view: 'span_view',
  columns: SPAN_COLUMNS,
  rowsFunction: 'span_rows',
  isIndexedByService: true,
  json: SPAN_JSON,
  csv: [
    ['traceId', 'trace_id_hex'],
    ['spanId', 'span_id'],
    ['parentSpanId', 'parent_span_id'],
    ['name', 'name'],
    ['kind', 'kind'],
    ['startTimeUnixNano', 'start_time_unix_nano::text'],
    ['endTimeUnixNano', 'end_time_unix_nano::text'],
    ['durationNs', 'duration_ns::text'],
    ['status', 'status'],
    ['statusMessage', 'status_message'],
    ['service', 'service'],
    ['environment', 'environment'],
    ['operation', 'operation'],
    ['provider', 'provider'],
    ['model', 'model'],
    ['inputTokens', 'input_tokens::text'],
    ['outputTokens', 'output_tokens::text'],
    ['cost', 'cost::text'],
    ['sessionId', 'session_id'],
    ['userId', 'user_id'],
    ['attributes', 'attributes::text'],
    ['events', 'events::text'],
    ['links', 'links::text'],
    ['resource', 'resource_attributes::text'],
    ['scopeName', 'scope_name'],
    ['scopeVersion', 'scope_version'],
  ],
  parquet: [
    { name: 'traceId', type: 'string', sql: 'trace_id_hex' },
    { name: 'spanId', type: 'string', sql: 'span_id' },
    { name: 'parentSpanId', type: 'string', sql: 'parent_span_id' },
    { name: 'traceState', type: 'string', sql: 'trace_state' },
    { name: 'flags', type: 'int64', sql: 'flags' },
    { name: 'name', type: 'string', sql: 'name' },
    { name: 'kind', type: 'string', sql: 'kind' },
    { name: 'startTime', type: 'timestampNanos', sql: 'start_time_unix_nano' },
    { name: 'endTime', type: 'timestampNanos', sql: 'end_time_unix_nano' },
    { name: 'startTimeUnixNano', type: 'int64', sql: 'start_time_unix_nano' },
    { name: 'endTimeUnixNano', type: 'int64', sql: 'end_time_unix_nano' },
    { name: 'durationNs', type: 'int64', sql: 'duration_ns' },
    { name: 'status', type: 'string', sql: 'status' },
    { name: 'statusMessage', type: 'string', sql: 'status_message' },
    { name: 'service', type: 'string', sql: 'service' },
    { name: 'environment', type: 'string', sql: 'environment' },
    { name: 'operation', type: 'string', sql: 'operation' },
    { name: 'provider', type: 'string', sql: 'provider' },
    { name: 'requestModel', type: 'string', sql: 'request_model' },
    { name: 'responseModel', type: 'string', sql: 'response_model' },
    { name: 'model', type: 'string', sql: 'model' },
    { name: 'inputTokens', type: 'int64', sql: 'input_tokens' },
    { name: 'outputTokens', type: 'int64', sql: 'output_tokens' },
    { name: 'cachedTokens', type: 'int64', sql: 'cached_tokens' },
    { name: 'cacheCreationTokens', type: 'int64', sql: 'cache_creation_tokens' },
    { name: 'reasoningTokens', type: 'int64', sql: 'reasoning_tokens' },
    { name: 'timeToFirstTokenNs', type: 'int64', sql: 'time_to_first_token_ns' },
    { name: 'cost', type: 'decimal', sql: 'case when cost < 1e20 then round(cost, 18) end' },
    { name: 'costIsComputed', type: 'boolean', sql: 'cost_is_computed' },
    { name: 'sessionId', type: 'string', sql: 'session_id' },
    { name: 'userId', type: 'string', sql: 'user_id' },
    { name: 'finishReason', type: 'string', sql: 'finish_reason' },
    { name: 'errorType', type: 'string', sql: 'error_type' },
    { name: 'responseId', type: 'string', sql: 'response_id' },
    { name: 'promptName', type: 'string', sql: 'prompt_name' },
    { name: 'promptVersion', type: 'string', sql: 'prompt_version' },
    { name: 'attributes', type: 'json', sql: 'attributes::text' },
    { name: 'droppedAttributesCount', type: 'int64', sql: 'dropped_attributes_count' },
    { name: 'events', type: 'json', sql: 'events::text' },
    { name: 'droppedEventsCount', type: 'int64', sql: 'dropped_events_count' },
    { name: 'links', type: 'json', sql: 'links::text' },
    { name: 'droppedLinksCount', type: 'int64', sql: 'dropped_links_count' },
    ...ORIGIN_COLUMNS,
  ],
}

/** What a call of a model was and took; nothing of other spans. */
const GEN_AI_JSON = `
  jsonb_strip_nulls(jsonb_build_object(
    'operation', operation, 'provider', provider, 'model', model, 'inputTokens', input_tokens,
    'outputTokens', output_tokens, 'cachedTokens', cached_tokens, 'cacheCreationTokens', cache_creation_tokens,
    'reasoningTokens', reasoning_tokens, 'timeToFirstTokenNs', time_to_first_token_ns, 'cost', cost,
    'costIsComputed', cost_is_computed, 'sessionId', session_id, 'userId', user_id, 'finishReason', finish_reason,
    'promptName', prompt_name, 'promptVersion', prompt_version))::text`

const TRACE_JSON = `
  (jsonb_build_object(
    'traceId', trace_id_hex, 'startTimeUnixNano', start_time_unix_nano::text, 'durationNs', duration_ns,
    'name', root_name, 'service', root_service, 'services', services, 'spanCount', span_count, 'errorCount', error_count)
  || jsonb_strip_nulls(jsonb_build_object(
    'inputTokens', input_tokens, 'outputTokens', output_tokens, 'cost', cost)))::text`

/** The columns of CSV of traces. */
export const TRACE_CSV = [
  ...['traceId', 'startTimeUnixNano', 'durationNs', 'name', 'service', 'services', 'spanCount', 'errorCount'],
  ...['inputTokens', 'outputTokens', 'cost'],
]

/** A trace that is there, and when its spans start. */
export interface FoundTrace {
  readonly traceId: string
  readonly range: TimeRange
}

/** Which entry a span came in: it is known by that, for ids of spans may repeat. */
export interface SpanPlace extends TreeSpan {
  readonly entryMs: string
  readonly entrySeq: string
  readonly recordIndex: number
  /** Of the answer of a model: who judges it may name that. */
  readonly responseId: string | null
}

/** A span of a trace: itself, what it is as a call of a model, and whether something may be said in it; the first two as JSON text. */
export type TraceSpanRow = readonly [position: number, span: string, genAi: string, mayBeSaid: boolean]

/** Spans with what was said are large: few are held at once. */
const SPANS_AT_ONCE = 20

/**
 * Reads traces.
 *
 * Times are unix nanoseconds as text, durations nanoseconds, costs US dollars. No connection to be had is an ObservatoryError ERR_SERVER_UNREACHABLE, rows that take PostgreSQL longer than
 * the pool allows ERR_QUERY_TIMEOUT, an aborted `signal` its reason, and what PostgreSQL refuses its own error: thrown before there is a stream, and from then on errors of the stream.
 * So it is of every repository.
 */
export class TraceRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /**
   * All spans that match, with their events and links, as `limit` and `order` say: a stream of rows with one column, the span as JSON text in the shape of the wire contract, or those of CSV or Parquet:
   * see {@link streamRecords}.
   */
  streamSpans(filter: RecordFilter, options: StreamOptions): Promise<Readable> {
    return streamRecords(this.#pool, SPANS, filter, options)
  }

  /** A page of spans and one more: a stream of {@link PageRow}, the newest first unless `order` says otherwise: see {@link pageRecords}. */
  pageSpans(filter: RecordFilter & { readonly limit: number }, signal: AbortSignal): Promise<Readable> {
    return pageRecords(this.#pool, SPANS, filter, signal)
  }

  /** A page of traces with a span that matches, each as {@link TraceRepository.summary} has it: see {@link pageTraces}. */
  pageTraces(
    filter: RecordFilter & { readonly limit: number },
    after: TracePosition | undefined,
    signal: AbortSignal,
  ): Promise<TracePage> {
    return pageTraces(this.#pool, { source: SPANS, json: TRACE_JSON, filter, after }, signal)
  }

  /** All traces with a span that matches, after those of a page: see {@link streamTraces}. */
  streamTraces(filter: RecordFilter, after: TracePosition | undefined, signal: AbortSignal): Readable {
    return streamTraces(this.#pool, { source: SPANS, json: TRACE_JSON, filter, after }, signal)
  }

  /**
   * Looks for a trace in all partitions, some at a time: its time is not known, and a query of all of them would take hundreds of locks.
   *
   * @param traceId 32 hex digits.
   * @returns undefined when no span of it is there.
   */
  async find(traceId: string, signal: AbortSignal): Promise<FoundTrace | undefined> {
    const starts: number[] = []
    for (const range of joinRanges(await partitionRanges(this.#pool, 'spans'), () => PLANNED_RANGES)) {
      const query = plannedQuery('trace', range, (ends) => ({
        text: `
          select extract(epoch from min(start_time))::float8 * 1000, extract(epoch from max(start_time))::float8 * 1000
          from spans where trace_id = $1::uuid ${betweenSql('start_time', ends)}`,
        values: [traceId],
      }))
      const [[first, last] = [null, null]] = await readRows<readonly [number | null, number | null]>(
        this.#pool,
        query,
        signal,
      )
      if (first !== null && last !== null) starts.push(first, last)
    }
    if (starts.length === 0) return undefined
    return {
      traceId,
      range: { fromMs: Math.floor(Math.min(...starts)), toMs: Math.floor(Math.max(...starts)) + 1 },
    }
  }

  /** A trace in short, as JSON text: `{traceId, startTimeUnixNano, durationNs, name, service, services, spanCount, errorCount, inputTokens, outputTokens, cost}`. */
  async summary(trace: FoundTrace, signal: AbortSignal): Promise<string | undefined> {
    const query = await this.#nearQuery(
      'summary',
      trace,
      (ends, values) => `
      select ${TRACE_JSON} from trace_summaries(${ends}) where trace_id = $${values.push(trace.traceId)}::uuid`,
    )
    const [row] = await readRows<readonly [string]>(this.#pool, query, signal)
    return row?.[0]
  }

  /** Where the spans of a trace stand in its tree, those that start first at most `limit`. */
  async spanPlaces(trace: FoundTrace, limit: number, signal: AbortSignal): Promise<readonly SpanPlace[]> {
    const query = await this.#nearQuery(
      'places',
      trace,
      (ends, values) => `
      select encode(span_id, 'hex'), encode(parent_span_id, 'hex'), entry_ms, entry_seq, record_index,
        case when name <> 'gen_ai.evaluation.result' then response_id end
      from spans where trace_id = $${values.push(trace.traceId)}::uuid ${betweenSql('start_time', ends)}
      order by start_time_unix_nano, entry_ms, entry_seq, record_index limit $${values.push(limit)}`,
    )
    const rows = await readRows<readonly [string, string | null, string, string, number, string | null]>(
      this.#pool,
      query,
      signal,
    )
    return rows.map(([spanId, parentSpanId, entryMs, entrySeq, recordIndex, responseId]) => ({
      spanId,
      parentSpanId,
      entryMs,
      entrySeq,
      recordIndex,
      responseId,
    }))
  }

  /** These spans of a trace, in their order: a stream of rows that are {@link TraceSpanRow}. */
  async streamTrace(trace: FoundTrace, places: readonly SpanPlace[], signal: AbortSignal): Promise<Readable> {
    const query = await this.#nearQuery(
      'spans',
      trace,
      (ends, values) => `
      select position::int, ${SPAN_JSON}, ${GEN_AI_JSON}, has_content or jsonb_array_length(events) > 0
      from ${rowsSql(SPANS, ends)}
      join unnest(
        $${values.push(places.map(({ entryMs }) => entryMs))}::bigint[],
        $${values.push(places.map(({ entrySeq }) => entrySeq))}::bigint[],
        $${values.push(places.map(({ recordIndex }) => recordIndex))}::int[]
      ) with ordinality as placed (entry_ms, entry_seq, record_index, position) using (entry_ms, entry_seq, record_index)
      where trace_id = $${values.push(trace.traceId)}::uuid order by position`,
    )
    if (places.length > SPANS_AT_ONCE)
      return streamRows(this.#pool, { ...query, batchSize: SPANS_AT_ONCE }, signal)
    return Readable.from(await readRows<TraceSpanRow>(this.#pool, query, signal))
  }

  #nearQuery(
    what: string,
    { range }: FoundTrace,
    of: (ends: RangeEnds, values: unknown[]) => string,
  ): Promise<SmallQuery> {
    return nearQuery(this.#pool, { name: `${what} of trace`, table: 'spans', range }, of)
  }
}
