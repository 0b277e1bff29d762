import type { BenchSetup } from './bench-setup.ts'
import { checkpoint } from './start-over.ts'

/** One statement that ran for minutes could not be stopped by Ctrl-C. */
const ROWS_A_STATEMENT = 250_000

/**
 * Stores valid spans in the very partition that the next ones go to, as if they had been ingested before, then leaves it to nobody to tidy
 * up behind them during a measurement: vacuumed, analysed, on disk.
 */
export async function storeSpans(bench: BenchSetup, rows: number, nowMs: number): Promise<void> {
  await insertRows(bench, 'spans', { rows, nowMs })
  await tidyUp(bench, ['spans'])
}

export interface StoredRows {
  readonly rows: number
  /** Unix milliseconds of the day. */
  readonly nowMs: number
  /** Other trace ids for another text. */
  readonly salt?: string
}

/** Stores rows as {@link storeSpans} does, and tidies up nothing. */
export async function insertRows(
  { client, stopping }: BenchSetup,
  table: 'spans' | 'log_records',
  { rows, nowMs, salt = '' }: StoredRows,
): Promise<void> {
  for (let from = 0; from < rows; from += ROWS_A_STATEMENT) {
    stopping.throwIfAborted()
    const values = [from, Math.min(rows, from + ROWS_A_STATEMENT) - 1, rows, nowMs, salt]
    await client.query(table === 'spans' ? INSERT_SPANS : INSERT_LOG_RECORDS, values)
  }
}

export async function tidyUp(bench: BenchSetup, tables: readonly string[]): Promise<void> {
  await bench.client.query(`vacuum (analyze) ${tables.join(', ')}`)
  await checkpoint(bench)
}

/** `$1` to `$2` of `$3` rows in the hour before noon (UTC) of the day of `$4`, unix milliseconds: what comes then is later, as it would be. Content as in the workload. */
const INSERT_SPANS = `
  insert into spans (start_time, start_time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, trace_id, record_index,
                     kind, status_code, has_content, span_id, service, name, attributes, parent_span_id, duration_ns,
                     operation, provider, request_model, input_tokens, output_tokens, session_id, user_id)
  select to_timestamp(ms / 1000.0), ms * 1000000, 1, 1, ms, i, md5($5 || i::text)::uuid, 0,
         3, case when i % 50 = 0 then 2 else 1 end, false, decode(substr(md5($5 || i::text), 1, 16), 'hex'),
         (array['gateway', 'agent', 'tools'])[i % 3 + 1], 'chat ' || model,
         jsonb_build_object('gen_ai.operation.name', 'chat', 'gen_ai.provider.name', 'openai', 'gen_ai.request.model', model,
           'gen_ai.usage.input_tokens', i % 4000, 'gen_ai.usage.output_tokens', i % 800,
           'gen_ai.conversation.id', 'conversation-' || i % 5000, 'user.id', 'user-' || i % 800,
           'http.response.status_code', 200, 'server.address', 'api.openai.com'),
         decode(substr(md5($5 || i::text), 17, 16), 'hex'), (100 + i % 5000) * 1000000::bigint,
         'chat', 'openai', model, i % 4000, i % 800, 'conversation-' || i % 5000, 'user-' || i % 800
    from (select i, (array['gpt-4o', 'claude-sonnet-4', 'gemini-2.5-pro'])[i % 3 + 1] as model,
                 ($4::bigint / 86400000) * 86400000 + 39600000 + i * 3600000 / $3::bigint as ms
            from generate_series($1::bigint, $2::bigint) as i) as made`

/** The same of log records. */
const INSERT_LOG_RECORDS = `
  insert into log_records (time, time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, record_index, severity_number,
                           has_content, body_is_json, service, attributes, body, severity_text, trace_id, span_id)
  select to_timestamp(ms / 1000.0), ms * 1000000, 1, 1, ms, i, 0, (array[9, 9, 9, 5, 13, 17])[i % 6 + 1],
         false, false, (array['gateway', 'agent', 'tools'])[i % 3 + 1],
         jsonb_build_object('user.id', 'user-' || i % 800, 'http.route', '/v1/chat'),
         'completion of ' || (array['gpt-4o', 'claude-sonnet-4', 'gemini-2.5-pro'])[i % 3 + 1] || ' took ' || i % 5000 || ' ms',
         'INFO', md5($5 || i::text)::uuid, decode(substr(md5($5 || i::text), 1, 16), 'hex')
    from (select i, ($4::bigint / 86400000) * 86400000 + 39600000 + i * 3600000 / $3::bigint as ms
            from generate_series($1::bigint, $2::bigint) as i) as made`
