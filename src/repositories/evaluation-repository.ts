import type { Readable } from 'node:stream'
import type pg from 'pg'
import { CALL_TEXTS, type FilterColumns, type RecordFilter, whereSql } from './filter.ts'
import { readRows, type SmallQuery, streamRows } from './stream-rows.ts'
import {
  betweenSql,
  joinRanges,
  PLANNED_RANGES,
  partitionRanges,
  plannedQuery,
  rangesWithin,
  type TimeRange,
} from './time-ranges.ts'
import type { FoundTrace } from './trace-repository.ts'

const DAY_MS = 86_400_000

export const EVALUATION_COLUMNS: FilterColumns = {
  time: 'time',
  timeUnixNano: 'time_unix_nano',
  traceId: 'trace_id',
  texts: {
    service: 'service',
    name: 'name',
    ...CALL_TEXTS,
    label: 'label',
  },
}

const EVALUATION_JSON = `
  jsonb_strip_nulls(jsonb_build_object(
    'timeUnixNano', time_unix_nano::text, 'name', name, 'score', score, 'label', label, 'explanation', explanation,
    'evaluator', evaluator, 'errorType', error_type, 'traceId', trace_id_hex, 'spanId', span_id,
    'responseId', response_id, 'sessionId', session_id, 'userId', user_id, 'service', service, 'operation', operation,
    'provider', provider, 'model', model, 'promptName', prompt_name, 'promptVersion', prompt_version))::text`

/** The columns of CSV of evaluations. */
export const EVALUATION_CSV = [
  ...['timeUnixNano', 'name', 'score', 'label', 'explanation', 'evaluator', 'errorType', 'traceId', 'spanId'],
  ...[
    'responseId',
    'sessionId',
    'userId',
    'service',
    'operation',
    'provider',
    'model',
    'promptName',
    'promptVersion',
  ],
]

/** The columns of CSV of averages, beside what they are by. */
export const AVERAGE_CSV = ['count', 'scored', 'average', 'min', 'max', 'labels', 'errors']

/** What averages can be grouped by beside the name, and the column of each. */
export const EVALUATION_GROUPS = {
  model: 'model',
  provider: 'provider',
  prompt: 'prompt_name',
  promptVersion: 'prompt_version',
  service: 'service',
  operation: 'operation',
  evaluator: 'evaluator',
  user: 'user_id',
  session: 'session_id',
} as const
export type EvaluationGroup = keyof typeof EVALUATION_GROUPS

/** Reads evaluations, each with what is known of the call that it judges. */
export class EvaluationRepository {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** Evaluations that match, newest first: a stream of rows with one column, the evaluation as JSON text. */
  streamEvaluations(filter: RecordFilter, signal: AbortSignal): Promise<Readable> {
    const { where, values } = whereSql(filter, EVALUATION_COLUMNS)
    const text = `
      select ${EVALUATION_JSON} from evaluation_view ${where}
      order by time desc, time_unix_nano desc, entry_ms desc, entry_seq desc, record_index desc, position desc
      limit $${values.length + 1}`
    return streamRows(this.#pool, { text, values: [...values, filter.limit] }, signal)
  }

  /**
   * Evaluations of a trace and of its spans, by their ids or those of their answers, the oldest at most `limit`, as JSON text. What is found of a trace is found at most a day before its first
   * span, or at any time after.
   *
   * @param answers the ids of the answers that its spans have, and the spans.
   */
  async ofTrace(
    { traceId, range }: FoundTrace,
    answers: ReadonlyMap<string, string>,
    { limit, signal }: { readonly limit: number; readonly signal: AbortSignal },
  ): Promise<readonly { readonly spanId: string; readonly json: string }[]> {
    const all = await partitionRanges(this.#pool, 'evaluations')
    const since = { from: BigInt((range.fromMs ?? 0) - DAY_MS) * 1_000_000n }
    const rows: FoundRow[] = []
    // The ranges are those of all traces, so that their queries are planned already.
    for (const each of rangesWithin(
      joinRanges(all, () => PLANNED_RANGES),
      since,
    )) {
      rows.push(...(await readRows<FoundRow>(this.#pool, ofTraceQuery(each, [traceId, limit]), signal)))
      if (answers.size === 0) continue
      rows.push(
        ...(await readRows<FoundRow>(this.#pool, ofAnswersQuery(each, [[...answers.keys()], limit]), signal)),
      )
    }
    return rows
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([, spanId, responseId, json]) => ({
        spanId: spanId ?? answers.get(responseId ?? '') ?? '',
        json,
      }))
  }

  /**
   * How evaluations of each name came out, by `groups`: a stream of rows with one column, as JSON text
   * `{name, …groups, count, scored, average, min, max, labels: {label: count}, errors}`. The scores of one name, and those with most evaluations first.
   */
  streamAverages(
    filter: RecordFilter,
    groups: readonly EvaluationGroup[],
    signal: AbortSignal,
  ): Promise<Readable> {
    const { where, values } = whereSql(filter, EVALUATION_COLUMNS)
    const columns = ['name', ...groups.map((group) => EVALUATION_GROUPS[group])].join(', ')
    const named = groups.map((group) => `'${group}', ${EVALUATION_GROUPS[group]}, `).join('')
    const text = `
      select jsonb_build_object('name', name, ${named}'count', sum(count), 'scored', sum(scored),
          'average', sum(total) / nullif(sum(scored), 0), 'min', min(lowest), 'max', max(highest),
          'labels', coalesce(jsonb_object_agg(label, count) filter (where label is not null), '{}'),
          'errors', sum(errors))::text
      from (
        select ${columns}, label, count(*) as count, count(score) as scored, sum(score) as total,
          min(score) as lowest, max(score) as highest, count(error_type) as errors
        from evaluation_view ${where} group by ${columns}, label
      ) as labelled
      group by ${columns} order by name, sum(count) desc limit $${values.length + 1}`
    return streamRows(this.#pool, { text, values: [...values, filter.limit] }, signal)
  }
}

type FoundRow = readonly [order: string, spanId: string | null, responseId: string | null, json: string]

/** The columns of {@link FoundRow}: what is ordered by is text, with as many digits in each. */
const FOUND = `
  select concat_ws(' ', to_char(time_unix_nano, 'FM0000000000000000000'), to_char(entry_ms, 'FM0000000000000000000'),
      to_char(entry_seq, 'FM0000000000000000000'), to_char(record_index, 'FM0000000000'), to_char(position, 'FM0000000000')),
    encode(span_id, 'hex'), response_id, jsonb_strip_nulls(jsonb_build_object(
      'timeUnixNano', time_unix_nano::text, 'name', name, 'score', score, 'label', label,
      'explanation', explanation, 'evaluator', evaluator, 'errorType', error_type))::text
  from evaluations`
const OLDEST = 'order by time_unix_nano, entry_ms, entry_seq, record_index, position limit $2'

/** Two queries: of one with both conditions the plan is not kept, and to make it takes longer than to run both. */
function ofTraceQuery(range: TimeRange, values: readonly unknown[]): SmallQuery {
  return plannedQuery('evaluations of trace', range, (ends) => ({
    text: `${FOUND} where trace_id = $1::uuid and (span_id is not null or response_id is null) ${betweenSql('time', ends)} ${OLDEST}`,
    values,
  }))
}

function ofAnswersQuery(range: TimeRange, values: readonly unknown[]): SmallQuery {
  return plannedQuery('evaluations of answers', range, (ends) => ({
    text: `${FOUND} where response_id = any ($1::text[]) and span_id is null ${betweenSql('time', ends)} ${OLDEST}`,
    values,
  }))
}
