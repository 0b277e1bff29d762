import type pg from 'pg'
import { PARTITIONED_TABLES, Partitions } from '../../src/retention/partitions.ts'

/** The day of all of them. */
export const DAY = '2026-03-29'
export const DAY_MS = Date.parse(`${DAY}T00:00:00Z`)

const MOST = '9223372036854775807'
const LEAST = '-9223372036854775808'
const ODD_TEXT = `'' "quoted" \\ \\\\ \\N , ; {} [] \u0001\u001f\u007f\u0085\u2028 ünï 😀 \u{10ffff}\r\n\t`
const ODD_JSON = JSON.stringify({
  [ODD_TEXT]: ODD_TEXT,
  '': null,
  numbers: [0.1, -0.5, 1e300, 12345678901234567000],
  deep: { a: [{ b: [[], {}, [null, true, false]] }] },
  escaped: '\\"}],{[\\\\',
})

/** Rows with values that are easily lost, and of each table one of nothing but nulls where these may be, into a migrated database that is empty. */
export async function createHostileRows(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  try {
    await new Partitions({ pool, interval: 'day' }).ensure(client, PARTITIONED_TABLES, [DAY_MS])
    await client.query(
      `insert into resources (resource_id, service, environment, attributes) values ($1, $3, null, $4), ($2, 'api', 'prod', '{}'), (5, 'unused', null, '{}')`,
      [LEAST, MOST, ODD_TEXT, ODD_JSON],
    )
    await client.query(`delete from resources where resource_id = 5`)
    await client.query(
      `insert into scopes (scope_id, name, version, attributes) values (-1, null, null, '{}'), (7, $1, '1', $2)`,
      [ODD_TEXT, ODD_JSON],
    )
    await client.query(
      `insert into metrics (metric_id, name, type, is_monotonic) values ($1, $2, 'histogram', null), (8, 'm', 'counter', true)`,
      [LEAST, ODD_TEXT],
    )
    await client.query(
      `insert into metric_series (series_id, metric_id, resource_id, scope_id, service, attributes)
       values ($1, $2, $1, 7, $3, $4), (8, 8, $2, -1, 'api', '{}')`,
      [MOST, LEAST, ODD_TEXT, ODD_JSON],
    )
    await insertSpans(client)
    await insertLogs(client)
    await insertPoints(client)
  } finally {
    client.release()
  }
}

async function insertSpans(client: pg.ClientBase): Promise<void> {
  const costs = [
    null,
    '0',
    '0.00',
    '1',
    '-1',
    '10000',
    '99999999',
    '0.0001',
    '0.00001',
    '123456789012345678901234567890.000000000000000000000000000000000000000000000000000000000001',
    '0.10',
    '1e-30',
    '100000000',
    'NaN',
    'Infinity',
    '-Infinity',
    '-0.000120',
    `${'9'.repeat(400)}.${'1'.repeat(400)}`,
  ]
  for (const [index, cost] of costs.entries()) {
    const isFull = index % 2 === 1
    await client.query(
      `insert into spans (start_time, start_time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, trace_id, record_index, kind,
         status_code, has_content, span_id, service, name, attributes, cost, parent_span_id, duration_ns, status_message, events,
         links, cost_is_computed, input_tokens)
       values ($1, $2, $3, 7, $4, $5, $6, 0, -32768, 32767, $7, $8, $9, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
      [
        // Microseconds at both ends of the day.
        index === 0
          ? `${DAY}T00:00:00.000000Z`
          : `${DAY}T23:59:59.${String(999999 - index).padStart(6, '0')}Z`,
        isFull ? MOST : LEAST,
        isFull ? MOST : LEAST,
        isFull ? MOST : index,
        index,
        index === 0 ? '00000000-0000-0000-0000-000000000000' : 'ffffffff-ffff-ffff-ffff-ffffffffffff',
        isFull,
        isFull ? Buffer.from([0, 255, 0, 10, 92, 34, 39, 128]) : Buffer.alloc(0),
        isFull ? ODD_TEXT : '',
        isFull ? ODD_JSON : '{}',
        cost,
        isFull ? Buffer.alloc(8) : null,
        isFull ? LEAST : null,
        isFull ? '' : null,
        isFull ? '[]' : null,
        isFull ? ODD_JSON : null,
        isFull ? false : null,
        isFull ? MOST : null,
      ],
    )
  }
  // Two rows that are the same, and one of a megabyte.
  await client.query('insert into spans select * from spans where entry_seq = 3')
  await client.query(
    `insert into spans select (jsonb_populate_record(s, jsonb_build_object('entry_seq', 100,
       'attributes', jsonb_build_object('large', repeat('ünï "x" ', 130000))))).* from spans s where entry_seq = 2`,
  )
  await client.query(
    `insert into span_contents select start_time, entry_ms, entry_seq, trace_id, record_index, attributes from spans`,
  )
}

async function insertLogs(client: pg.ClientBase): Promise<void> {
  await client.query(
    `insert into log_records (time, time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, record_index, severity_number,
       has_content, body_is_json, service, attributes, body, trace_id, span_id)
     values ('${DAY}T05:00:00Z', 1, $1, 7, 1, 1, 2147483647, 0, false, true, $2, $3::jsonb, $3::text, gen_random_uuid(), '\\x00'),
       ('${DAY}T05:00:00Z', 2, $1, -1, 1, 2, 0, 24, true, false, '', '{}', '', null, null),
       ('${DAY}T05:00:00Z', 2, $1, -1, 1, 3, -2147483648, 24, true, false, '', '{}', null, null, null)`,
    [LEAST, ODD_TEXT, ODD_JSON],
  )
  await client.query(
    `insert into log_contents select time, entry_ms, entry_seq, record_index, attributes, body from log_records`,
  )
  await client.query(
    `insert into evaluations (time, time_unix_nano, resource_id, entry_ms, entry_seq, record_index, position, signal, name, score, label, span_id)
     select '${DAY}T06:00:00Z', 1, $1, 1, n, 0, n, 'traces', $2, scores[n], $2, case when n > 2 then '\\xff'::bytea end
     from (select array['NaN', 'Infinity', '-Infinity', '-0', '5e-324', '1.7976931348623157e308', '0.1', null]::float8[] as scores) s,
       generate_series(1, 8) n`,
    [LEAST, ODD_TEXT],
  )
}

async function insertPoints(client: pg.ClientBase): Promise<void> {
  const arrays = [
    [null, null],
    ['{}', '{}'],
    ['{NaN,Infinity,-Infinity,-0,0.1}', `{${MOST},${LEAST},0}`],
    ['{NULL,1.5}', '{NULL}'],
    [`{${Array.from({ length: 3000 }, (_, index) => index / 7).join(',')}}`, '{1}'],
  ]
  for (const [index, [doubles, integers]] of arrays.entries())
    await client.query(
      `insert into metric_points (time, time_unix_nano, series_id, entry_ms, entry_seq, record_index, value, value_integer, explicit_bounds,
         bucket_counts, quantiles, positive_bucket_counts, scale, exemplars)
       values ('${DAY}T07:00:00Z', 1, $1, 1, $2, 0, $3, $4, $5, $6, $5, $6, $7, $8)`,
      [
        index % 2 === 0 ? MOST : 8,
        index,
        [null, 'NaN', '-Infinity', '-0', '0.1'][index],
        index === 1 ? MOST : null,
        doubles,
        integers,
        index === 0 ? null : -index,
        index === 2 ? ODD_JSON : null,
      ],
    )
}
