import type { Readable } from 'node:stream'
import type pg from 'pg'
import { type FilterColumns, type RecordFilter, whereSql } from './filter.ts'
import { streamRows } from './stream-rows.ts'

/** The agent around the calls may have instructions alone, or no answer. */
const SPANS_LOOKED_AT = 4

export const SESSION_COLUMNS: FilterColumns = {
  time: 'start_time',
  timeUnixNano: 'start_time_unix_nano',
  texts: { service: 'service', user: 'user_id', session: 'session_id' },
}

/** The columns of CSV of sessions. */
export const SESSION_CSV = [
  ...['sessionId', 'userIds', 'services', 'startTimeUnixNano', 'endTimeUnixNano', 'turnCount', 'errorCount'],
  ...['inputTokens', 'outputTokens', 'cost'],
]

/** One turn of a session as it is read: the turn, and lists of `{attributes, events}` of spans that begin first, and that end last; all as JSON text. */
export type TurnRow = readonly [turn: string, first: string, last: string]

/** Of a trace the first spans in an order, of those in which something is said to a model or an agent. */
const SAID = (order: string) => `
  select coalesce(jsonb_agg(jsonb_build_object('attributes', attributes, 'events', events) order by number), '[]')::text as spans
  from (
    select s.attributes || coalesce(c.attributes, '{}') as attributes, coalesce(s.events, '[]') as events,
      row_number() over (order by ${order}) as number
    from spans s left join span_contents c
      on c.trace_id = s.trace_id and c.start_time = s.start_time
        and c.entry_ms = s.entry_ms and c.entry_seq = s.entry_seq and c.record_index = s.record_index
    where s.trace_id = t.trace_id and (s.has_content or s.events @? '$[*].name ? (@ starts with "gen_ai.")')
      and coalesce(s.operation, '') not in ('execute_tool', 'retrieval', 'embeddings')
    order by number limit ${SPANS_LOOKED_AT}
  ) as said`

/** Reads sessions: conversations of a user with an application, each turn of which is a trace. */
export class SessionRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /**
   * Sessions with a span that matches, those of the newest spans first: a stream of rows with one column, as JSON text `{sessionId, userIds, services,
   * startTimeUnixNano, endTimeUnixNano, turnCount, errorCount, inputTokens, outputTokens, cost}`. A turn is a trace; tokens and cost are those of all its calls, so a trace whose spans
   * name two sessions counts in both.
   */
  streamSessions(filter: RecordFilter, signal: AbortSignal): Promise<Readable> {
    const { where, values } = whereSql(filter, SESSION_COLUMNS)
    const text = `
      select (jsonb_build_object('sessionId', session_id, 'userIds', user_ids, 'services', services,
          'startTimeUnixNano', start_time_unix_nano::text, 'endTimeUnixNano', end_time_unix_nano::text,
          'turnCount', cardinality(trace_ids), 'errorCount', coalesce(t.error_count, 0))
        || jsonb_strip_nulls(jsonb_build_object(
          'inputTokens', t.input_tokens, 'outputTokens', t.output_tokens, 'cost', t.cost)))::text
      from (
        select session_id, max(start_time) as newest, array_agg(distinct trace_id) as trace_ids,
          min(start_time_unix_nano) as start_time_unix_nano,
          max(start_time_unix_nano + coalesce(duration_ns, 0)) as end_time_unix_nano,
          coalesce(array_agg(distinct user_id) filter (where user_id is not null), '{}') as user_ids,
          array_agg(distinct service) as services
        from spans ${where} and session_id is not null
        group by session_id order by newest desc, session_id limit $${values.length + 1}
      ) s
      left join lateral (
        select sum(error_count) as error_count, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
          sum(cost) as cost
        from traces t where t.trace_id = any (s.trace_ids)
      ) t on true
      order by newest desc, session_id`
    return streamRows(this.#pool, { text, values: [...values, filter.limit] }, signal)
  }

  /** Turns of a session, the oldest first. A turn is `{traceId, startTimeUnixNano, durationNs, name, service, spanCount, errorCount, inputTokens, outputTokens, cost}`. */
  streamTurns(
    sessionId: string,
    filter: Omit<RecordFilter, 'session'>,
    signal: AbortSignal,
  ): Promise<Readable> {
    const { where, values } = whereSql({ ...filter, session: sessionId }, SESSION_COLUMNS)
    const text = `
      select (jsonb_build_object('traceId', trace_id_hex, 'startTimeUnixNano', start_time_unix_nano::text,
          'durationNs', duration_ns, 'name', root_name, 'service', root_service, 'spanCount', span_count,
          'errorCount', error_count)
        || jsonb_strip_nulls(jsonb_build_object(
          'inputTokens', input_tokens, 'outputTokens', output_tokens, 'cost', cost)))::text,
        first.spans, last.spans
      from (
        select * from traces
        where trace_id = any (array(select distinct trace_id from spans ${where}))
        order by start_time_unix_nano, trace_id limit $${values.length + 1}
      ) t
      left join lateral (${SAID('s.start_time_unix_nano')}) first on true
      left join lateral (${SAID('s.start_time_unix_nano + coalesce(s.duration_ns, 0) desc')}) last on true
      order by start_time_unix_nano, trace_id`
    return streamRows(this.#pool, { text, values: [...values, filter.limit], batchSize: 20 }, signal)
  }
}
