import { once } from 'node:events'
import type pg from 'pg'
import { LogWriter } from '../../src/writers/log-writer.ts'
import { MetricWriter } from '../../src/writers/metric-writer.ts'
import { TraceWriter } from '../../src/writers/trace-writer.ts'

/** Bears a mark in everything that is of it, so that nothing of it can be overlooked. */
export const ANN = { name: 'ann', mark: 'of-ann' }
export const BOB = { name: 'bob', mark: 'of-bob' }

export interface PersonRecords {
  readonly traces: readonly object[]
  readonly logs: readonly object[]
  readonly metrics: readonly object[]
}

/** The id of a trace of a person, of a moment. */
export function traceOf({ name }: typeof ANN, ms: number): string {
  return Buffer.from(`${name}${ms}`.padEnd(16, '.')).toString('hex')
}

/**
 * What an application sends of a person at a moment: a trace whose root alone names the user and the session, its call with what was said, logs that name the trace, the user or neither, feedback on the
 * answer, data points of a series of the user's and exemplars of a shared one, and a record that is refused.
 */
export function recordsOf(person: typeof ANN, ms: number): PersonRecords {
  const { name, mark } = person
  const traceId = traceOf(person, ms)
  const at = (offset: number) => ({ timeUnixNano: String(BigInt(ms + offset) * 1_000_000n) })
  const span = (offset: number, spanId: string) => ({
    traceId,
    spanId,
    startTimeUnixNano: at(offset).timeUnixNano,
    endTimeUnixNano: at(offset + 50).timeUnixNano,
    service: 'assistant',
  })
  const call = {
    ...span(1, 'bbbbbbbbbbbbbbbb'),
    parentSpanId: 'aaaaaaaaaaaaaaaa',
    name: 'chat',
    attributes: {
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.usage.input_tokens': 10,
      'gen_ai.response.id': `answer-${name}-${ms}`,
      'gen_ai.input.messages': `a secret ${mark}`,
      'app.mark': mark,
    },
    events: [
      {
        name: 'gen_ai.evaluation.result',
        attributes: {
          'gen_ai.evaluation.name': 'tone',
          'gen_ai.evaluation.score.value': 1,
          'gen_ai.evaluation.explanation': mark,
        },
      },
    ],
  }
  const root = {
    ...span(0, 'aaaaaaaaaaaaaaaa'),
    name: 'turn',
    attributes: { 'enduser.id': name, 'session.id': `session ${name}`, 'app.mark': mark },
  }
  const shared = { service: 'assistant', name: 'latency', type: 'gauge', value: 3 }
  return {
    traces: [root, call],
    logs: [
      {
        ...at(2),
        service: 'assistant',
        traceId,
        message: `in the trace ${mark}`,
        attributes: { 'gen_ai.prompt': `said ${mark}` },
      },
      { ...at(3), service: 'assistant', message: `alone ${mark}`, attributes: { 'user.id': name } },
      {
        ...at(4),
        service: 'feedback',
        eventName: 'gen_ai.evaluation.result',
        attributes: {
          'gen_ai.evaluation.name': 'thumbs',
          'gen_ai.evaluation.score.value': 1,
          'gen_ai.evaluation.explanation': `liked ${mark}`,
          'gen_ai.response.id': `answer-${name}-${ms}`,
          'app.mark': mark,
        },
      },
      { time: 'no time', service: 'assistant', message: `refused ${mark}`, attributes: { 'user.id': name } },
    ],
    metrics: [
      {
        ...at(5),
        service: 'assistant',
        name: 'tokens',
        type: 'gauge',
        value: 1,
        attributes: { 'user.id': name, mark },
      },
      {
        ...at(6),
        ...shared,
        exemplars: [{ value: 1, traceId, spanId: 'aaaaaaaaaaaaaaaa', filteredAttributes: { mark } }],
      },
    ],
  }
}

const WRITERS = { traces: TraceWriter, logs: LogWriter, metrics: MetricWriter }

/** Writes records as a program does that uses the library. */
export async function writeRecords(pool: pg.Pool, records: PersonRecords): Promise<void> {
  for (const signal of ['traces', 'logs', 'metrics'] as const) {
    const writer = new WRITERS[signal]({ pool })
    writer.end(records[signal])
    await once(writer, 'finish')
  }
}

const TABLES = [
  'spans',
  'span_contents',
  'log_records',
  'log_contents',
  'evaluations',
  'metric_points',
  'metric_series',
  'resources',
  'dead_letters',
] as const

/** Every row of every table as text, but for exemplars, of which some go from points that stay. */
export async function allRows(pool: pg.Pool): Promise<readonly string[]> {
  const texts: string[] = []
  for (const table of TABLES) {
    const row =
      table === 'metric_points'
        ? `(to_jsonb(t) - 'exemplars')::text || coalesce((select string_agg(attributes::text, '') from metric_series s where s.series_id = t.series_id), '')`
        : 'to_jsonb(t)::text'
    const { rows } = await pool.query<{ row: string }>(`select ${row} as row from ${table} t order by 1`)
    texts.push(...rows.map((each) => `${table} ${each.row}`))
  }
  return texts
}

/** Where a text stands in the database, in any table of any column, marks of an erasure included. */
export async function tablesWith(pool: pg.Pool, text: string): Promise<readonly string[]> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  )
  const found: string[] = []
  for (const { name } of tables) {
    const { rows } = await pool.query(
      `select from ${name} t where t::text like '%' || $1 || '%' or t::text like '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%' limit 1`,
      [text],
    )
    if (rows.length > 0) found.push(name)
  }
  return found
}
