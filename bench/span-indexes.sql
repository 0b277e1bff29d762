-- What the indexes of spans on session and response ids cost where every span bears both, the most that they can cost:
--   psql -X "$DATABASE_URL" -f bench/span-indexes.sql
-- 200,000 spans each time, three rounds. Creates temporary tables alone.
\set ON_ERROR_STOP on
\set QUIET on
set client_min_messages = warning;
create temporary table made as
select now() - n * interval '0.1 second' as start_time, 1790000000000000000 + n as start_time_unix_nano,
  gen_random_uuid() as trace_id, decode(substr(md5(n::text), 1, 16), 'hex') as span_id, 'service-' || n % 20 as service,
  jsonb_build_object('gen_ai.request.model', 'gpt-4o', 'text', repeat(md5(n::text), 10)) as attributes,
  'conversation-' || (random() * 5000)::int as session_id, 'chatcmpl-' || md5(random()::text) as response_id
from generate_series(1, 200000) as n;

create or replace function pg_temp.seconds(indexes text[]) returns numeric language plpgsql as $$
declare
  started timestamptz;
  index_sql text;
begin
  drop table if exists filled;
  create temporary table filled (like spans including defaults);
  create index on filled (trace_id);
  create index on filled (service, start_time);
  create index on filled (request_model, start_time) where request_model is not null;
  foreach index_sql in array indexes loop execute 'create index on filled ' || index_sql; end loop;
  started := clock_timestamp();
  insert into filled (start_time, start_time_unix_nano, resource_id, scope_id, entry_ms, entry_seq, trace_id, record_index,
    kind, status_code, has_content, span_id, service, name, attributes, request_model, session_id, response_id)
  select start_time, start_time_unix_nano, 1, 2, 3, 4, trace_id, 0, 3, 1, false, span_id, service, 'chat', attributes,
    'gpt-4o', session_id, response_id from made;
  return round(extract(epoch from clock_timestamp() - started), 2);
end $$;

\echo round | seconds without | with session_id | with response_id (hash) | with response_id (btree) | with both as they are
\pset tuples_only on
select round, pg_temp.seconds('{}'),
  pg_temp.seconds('{(session_id) where session_id is not null}'),
  pg_temp.seconds('{using hash (response_id) where response_id is not null}'),
  pg_temp.seconds('{(response_id) where response_id is not null}'),
  pg_temp.seconds('{(session_id) where session_id is not null,using hash (response_id) where response_id is not null}')
from generate_series(1, 3) as round;
