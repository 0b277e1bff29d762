-- The SQL contract: one view a signal with a column for every field of a record, in plain words. Where a function has the rows of a time
-- range, its ends are those of every table that it reads: with constant ones, only the partitions of the range are planned and locked.
-- `trace_id` is the uuid, so that a filter uses the index; ids people read are hex text.

create function span_rows(since timestamptz, until timestamptz)
returns table (
  trace_id uuid,
  trace_id_hex text,
  span_id text,
  parent_span_id text,
  trace_state text,
  flags bigint,
  name text,
  kind text,
  kind_code smallint,
  start_time timestamptz,
  start_time_unix_nano bigint,
  end_time_unix_nano bigint,
  duration_ns bigint,
  status text,
  status_code smallint,
  status_message text,
  service text,
  environment text,
  operation text,
  provider text,
  request_model text,
  response_model text,
  model text,
  input_tokens bigint,
  output_tokens bigint,
  cached_tokens bigint,
  cache_creation_tokens bigint,
  reasoning_tokens bigint,
  time_to_first_token_ns bigint,
  cost numeric,
  cost_is_computed boolean,
  session_id text,
  user_id text,
  finish_reason text,
  error_type text,
  response_id text,
  prompt_name text,
  prompt_version text,
  has_content boolean,
  attributes jsonb,
  hot_attributes jsonb,
  dropped_attributes_count bigint,
  events jsonb,
  dropped_events_count bigint,
  links jsonb,
  dropped_links_count bigint,
  resource_attributes jsonb,
  resource_schema_url text,
  scope_name text,
  scope_version text,
  scope_attributes jsonb,
  scope_schema_url text,
  entry_ms bigint,
  entry_seq bigint,
  record_index integer
)
language sql stable parallel safe begin atomic
  select
    s.trace_id,
    replace(s.trace_id::text, '-', '') as trace_id_hex,
    encode(s.span_id, 'hex') as span_id,
    encode(s.parent_span_id, 'hex') as parent_span_id,
    s.trace_state,
    s.flags,
    s.name,
    case s.kind when 1 then 'internal' when 2 then 'server' when 3 then 'client' when 4 then 'producer'
      when 5 then 'consumer' else 'unspecified' end as kind,
    s.kind as kind_code,
    s.start_time,
    s.start_time_unix_nano,
    s.start_time_unix_nano + s.duration_ns as end_time_unix_nano,
    s.duration_ns,
    case s.status_code when 1 then 'ok' when 2 then 'error' else 'unset' end as status,
    s.status_code,
    s.status_message,
    s.service,
    r.environment,
    s.operation,
    s.provider,
    s.request_model,
    s.response_model,
    coalesce(s.response_model, s.request_model) as model,
    s.input_tokens,
    s.output_tokens,
    s.cached_tokens,
    s.cache_creation_tokens,
    s.reasoning_tokens,
    s.time_to_first_token_ns,
    s.cost,
    s.cost_is_computed,
    s.session_id,
    s.user_id,
    s.finish_reason,
    s.error_type,
    s.response_id,
    s.prompt_name,
    s.prompt_version,
    s.has_content,
    case when s.has_content then s.attributes || coalesce((
      select c.attributes from span_contents c
      where c.start_time >= since and c.start_time < until and c.trace_id = s.trace_id and c.start_time = s.start_time
        and c.entry_ms = s.entry_ms and c.entry_seq = s.entry_seq and c.record_index = s.record_index
      limit 1), '{}') else s.attributes end as attributes,
    s.attributes as hot_attributes,
    s.dropped_attributes_count,
    coalesce(s.events, '[]') as events,
    s.dropped_events_count,
    coalesce(s.links, '[]') as links,
    s.dropped_links_count,
    r.attributes as resource_attributes,
    r.schema_url as resource_schema_url,
    c.name as scope_name,
    c.version as scope_version,
    c.attributes as scope_attributes,
    c.schema_url as scope_schema_url,
    s.entry_ms,
    s.entry_seq,
    s.record_index
  from spans s
  left join resources r on r.resource_id = s.resource_id
  left join scopes c on c.scope_id = s.scope_id
  where s.start_time >= since and s.start_time < until;
end;

create function log_rows(since timestamptz, until timestamptz)
returns table (
  "time" timestamptz,
  time_unix_nano bigint,
  observed_time_unix_nano bigint,
  severity_number smallint,
  severity_text text,
  level text,
  service text,
  environment text,
  body text,
  hot_body text,
  body_is_json boolean,
  has_content boolean,
  event_name text,
  trace_id uuid,
  trace_id_hex text,
  span_id text,
  flags bigint,
  attributes jsonb,
  hot_attributes jsonb,
  dropped_attributes_count bigint,
  resource_attributes jsonb,
  resource_schema_url text,
  scope_name text,
  scope_version text,
  scope_attributes jsonb,
  scope_schema_url text,
  entry_ms bigint,
  entry_seq bigint,
  record_index integer
)
language sql stable parallel safe begin atomic
  select
    l.time,
    l.time_unix_nano,
    l.observed_time_unix_nano,
    l.severity_number,
    l.severity_text,
    case when l.severity_number = 0 then null
      else (array['trace', 'debug', 'info', 'warn', 'error', 'fatal'])[(l.severity_number + 3) / 4] end as level,
    l.service,
    r.environment,
    case when l.has_content and l.body is null then (
      select c.body from log_contents c
      where c.time >= since and c.time < until and c.time = l.time and c.entry_ms = l.entry_ms and c.entry_seq = l.entry_seq and c.record_index = l.record_index
      limit 1) else l.body end as body,
    l.body as hot_body,
    l.body_is_json,
    l.has_content,
    l.event_name,
    l.trace_id,
    replace(l.trace_id::text, '-', '') as trace_id_hex,
    encode(l.span_id, 'hex') as span_id,
    l.flags,
    case when l.has_content then l.attributes || coalesce((
      select c.attributes from log_contents c
      where c.time >= since and c.time < until and c.time = l.time and c.entry_ms = l.entry_ms and c.entry_seq = l.entry_seq and c.record_index = l.record_index
      limit 1), '{}') else l.attributes end as attributes,
    l.attributes as hot_attributes,
    l.dropped_attributes_count,
    r.attributes as resource_attributes,
    r.schema_url as resource_schema_url,
    c.name as scope_name,
    c.version as scope_version,
    c.attributes as scope_attributes,
    c.schema_url as scope_schema_url,
    l.entry_ms,
    l.entry_seq,
    l.record_index
  from log_records l
  left join resources r on r.resource_id = l.resource_id
  left join scopes c on c.scope_id = l.scope_id
  where l.time >= since and l.time < until;
end;

create view point_view as
select
  p.time,
  p.time_unix_nano,
  p.start_time_unix_nano,
  m.name,
  m.type,
  m.unit,
  m.description,
  m.temporality,
  m.is_monotonic,
  s.service,
  r.environment,
  s.attributes,
  p.value,
  p.value_integer,
  p.count,
  p.sum,
  p.min,
  p.max,
  p.explicit_bounds,
  p.bucket_counts,
  p.scale,
  p.zero_count,
  p.zero_threshold,
  p.positive_offset,
  p.positive_bucket_counts,
  p.negative_offset,
  p.negative_bucket_counts,
  p.quantiles,
  p.quantile_values,
  coalesce(p.exemplars, '[]') as exemplars,
  p.flags,
  r.attributes as resource_attributes,
  r.schema_url as resource_schema_url,
  c.name as scope_name,
  c.version as scope_version,
  c.attributes as scope_attributes,
  c.schema_url as scope_schema_url,
  p.series_id,
  s.metric_id,
  p.entry_ms,
  p.entry_seq,
  p.record_index
from metric_points p
left join metric_series s on s.series_id = p.series_id
left join metrics m on m.metric_id = s.metric_id
left join resources r on r.resource_id = s.resource_id
left join scopes c on c.scope_id = s.scope_id;

-- One row a trace, of its spans that start in a time range: with constant ends, only the partitions of the range are looked at. A call is counted
-- once: agents, workflows and tools repeat the usage of the calls below them, and so does a span right above a call that has a usage, too
-- (two instrumentations of one call).
create function trace_summaries(since timestamptz, until timestamptz)
returns table (
  trace_id uuid,
  trace_id_hex text,
  start_time timestamptz,
  start_time_unix_nano bigint,
  duration_ns bigint,
  root_name text,
  root_service text,
  span_count bigint,
  error_count bigint,
  services text[],
  input_tokens numeric,
  output_tokens numeric,
  cost numeric
)
language sql stable parallel safe begin atomic
  select
    t.trace_id,
    replace(t.trace_id::text, '-', ''),
    t.start_time,
    t.start_time_unix_nano,
    t.duration_ns,
    t.root_name,
    t.root_service,
    t.span_count,
    t.error_count,
    t.services,
    u.input_tokens,
    u.output_tokens,
    u.cost
  from (
    select
      s.trace_id,
      min(s.start_time) as start_time,
      min(s.start_time_unix_nano) as start_time_unix_nano,
      max(s.start_time_unix_nano + coalesce(s.duration_ns, 0)) - min(s.start_time_unix_nano) as duration_ns,
      (array_agg(s.name order by (s.parent_span_id is null) desc, s.start_time_unix_nano))[1] as root_name,
      (array_agg(s.service order by (s.parent_span_id is null) desc, s.start_time_unix_nano))[1] as root_service,
      count(*) as span_count,
      count(*) filter (where s.status_code = 2) as error_count,
      array_agg(distinct s.service) as services,
      array_agg(s.span_id) filter (where s.has_usage) as span_ids,
      array_agg(s.parent_span_id) filter (where s.has_usage) as parent_span_ids,
      array_agg(s.input_tokens) filter (where s.has_usage) as input_tokens,
      array_agg(s.output_tokens) filter (where s.has_usage) as output_tokens,
      array_agg(s.cost) filter (where s.has_usage) as costs
    from (
      select spans.*,
        (spans.input_tokens is not null or spans.output_tokens is not null or spans.cost is not null)
          and coalesce(spans.operation, '') not in ('create_agent', 'invoke_agent', 'invoke_workflow', 'execute_tool') as has_usage
      from spans
      where spans.start_time >= since and spans.start_time < until
    ) s
    group by s.trace_id
  ) t
  left join lateral (
    select sum(c.input_tokens) as input_tokens, sum(c.output_tokens) as output_tokens, sum(c.cost) as cost
    from unnest(t.span_ids, t.parent_span_ids, t.input_tokens, t.output_tokens, t.costs)
      as c (span_id, parent_span_id, input_tokens, output_tokens, cost)
    where not exists (
      select from unnest(t.span_ids, t.parent_span_ids) as i (span_id, parent_span_id)
      where i.parent_span_id = c.span_id and i.span_id <> c.span_id)
  ) u on true;
end;

-- The views have the rows of all time, by the text of the functions. They do not call them: who may read a view reads the tables below it by
-- the rights of its owner (grafana/read-only-role.sql), but a function by their own.
do $$
declare
  view_name text;
  function_name text;
  columns text;
  body text;
begin
  for view_name, function_name in values ('span_view', 'span_rows'), ('log_view', 'log_rows'), ('traces', 'trace_summaries') loop
    select string_agg(quote_ident(name), ', ' order by position), pg_get_function_sqlbody(oid) into strict columns, body
    from pg_proc, unnest(proargnames, proargmodes) with ordinality as argument (name, mode, position)
    where oid = function_name::regproc and mode = 't'
    group by oid;
    body := regexp_replace(body, '^\s*BEGIN ATOMIC|;\s*END\s*$', '', 'g');
    body := regexp_replace(body, '(\m' || function_name || '\.)?\msince\M', '''-infinity''::timestamptz', 'g');
    body := regexp_replace(body, '(\m' || function_name || '\.)?\muntil\M', '''infinity''::timestamptz', 'g');
    execute format('create view %I (%s) as %s', view_name, columns, body);
  end loop;
end $$;

-- One row a call to a model. Agents and workflows name the model they use, but the calls are the spans below them.
create view llm_calls as
select
  s.start_time, s.start_time_unix_nano, s.trace_id, replace(s.trace_id::text, '-', '') as trace_id_hex,
  encode(s.span_id, 'hex') as span_id, s.service, r.environment, s.operation, s.provider, s.request_model, s.response_model,
  coalesce(s.response_model, s.request_model) as model, s.input_tokens, s.output_tokens, s.cached_tokens, s.cache_creation_tokens,
  s.reasoning_tokens, s.duration_ns, s.time_to_first_token_ns, s.cost, s.cost_is_computed, s.session_id, s.user_id, s.finish_reason,
  s.error_type, s.response_id, s.prompt_name, s.prompt_version, s.status_code = 2 as is_error,
  s.name, s.kind as kind_code, s.status_code, s.attributes as hot_attributes
from spans s
left join resources r on r.resource_id = s.resource_id
where (s.request_model is not null or s.response_model is not null)
  and coalesce(s.operation, '') not in ('create_agent', 'invoke_agent', 'invoke_workflow', 'execute_tool');

-- One row an evaluation, with what is known of the call that it judges. The call is looked for among the spans of the 31 days before:
-- by its span, or by the id of its answer.
create view evaluation_view as
select
  e.time,
  e.time_unix_nano,
  e.name,
  e.score,
  e.label,
  e.explanation,
  e.evaluator,
  e.error_type,
  r.service as evaluated_by_service,
  coalesce(a.trace_id, e.trace_id) as trace_id,
  replace(coalesce(a.trace_id, e.trace_id)::text, '-', '') as trace_id_hex,
  encode(coalesce(a.span_id, e.span_id), 'hex') as span_id,
  e.response_id,
  coalesce(e.session_id, s.session_id, a.session_id) as session_id,
  coalesce(s.service, a.service) as service,
  coalesce(s.operation, a.operation) as operation,
  coalesce(s.provider, a.provider) as provider,
  coalesce(s.response_model, s.request_model, a.response_model, a.request_model) as model,
  coalesce(s.prompt_name, a.prompt_name) as prompt_name,
  coalesce(s.prompt_version, a.prompt_version) as prompt_version,
  coalesce(s.user_id, a.user_id) as user_id,
  e.signal,
  e.entry_ms,
  e.entry_seq,
  e.record_index,
  e.position
from evaluations e
left join resources r on r.resource_id = e.resource_id
left join lateral (
  select s.session_id, s.service, s.operation, s.provider, s.request_model, s.response_model, s.prompt_name, s.prompt_version,
    s.user_id
  from spans s
  where s.trace_id = e.trace_id and s.span_id = e.span_id
    and s.start_time > e.time - interval '31 days' and s.start_time < e.time + interval '1 day'
  limit 1) s on true
left join lateral (
  select s.trace_id, s.span_id, s.session_id, s.service, s.operation, s.provider, s.request_model, s.response_model,
    s.prompt_name, s.prompt_version, s.user_id
  from spans s
  where e.span_id is null and s.response_id = e.response_id and s.name <> 'gen_ai.evaluation.result'
    and s.start_time > e.time - interval '31 days' and s.start_time < e.time + interval '1 day'
  order by s.start_time desc
  limit 1) a on true;
