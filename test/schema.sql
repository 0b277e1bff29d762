create extension btree_gist;

create sequence erasures_erasure_id_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;

create sequence removals_removal_id_seq as bigint increment 1 minvalue 1 maxvalue 9223372036854775807 start 1 cache 1;

CREATE OR REPLACE FUNCTION public.double_of(value numeric)
 RETURNS double precision
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (value = ANY (ARRAY['NaN'::numeric, 'Infinity'::numeric, '-Infinity'::numeric])) THEN (value)::double precision WHEN (abs(value) > '179769313486231570000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000'::numeric) THEN ((sign(value))::double precision * 'Infinity'::double precision) WHEN (abs(value) < 0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000022250738585072014) THEN (0)::double precision ELSE (value)::double precision END
;

CREATE OR REPLACE FUNCTION public.exact_of(value double precision)
 RETURNS numeric
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ((value)::text)::numeric
;

CREATE OR REPLACE FUNCTION public.log_rows(since timestamp with time zone, until timestamp with time zone)
 RETURNS TABLE("time" timestamp with time zone, time_unix_nano bigint, observed_time_unix_nano bigint, severity_number smallint, severity_text text, level text, service text, environment text, body text, hot_body text, body_is_json boolean, has_content boolean, event_name text, trace_id uuid, trace_id_hex text, span_id text, flags bigint, attributes jsonb, hot_attributes jsonb, dropped_attributes_count bigint, resource_attributes jsonb, resource_schema_url text, scope_name text, scope_version text, scope_attributes jsonb, scope_schema_url text, entry_ms bigint, entry_seq bigint, record_index integer)
 LANGUAGE sql
 STABLE PARALLEL SAFE
BEGIN ATOMIC
 SELECT l."time",
     l.time_unix_nano,
     l.observed_time_unix_nano,
     l.severity_number,
     l.severity_text,
         CASE
             WHEN (l.severity_number = 0) THEN NULL::text
             ELSE (ARRAY['trace'::text, 'debug'::text, 'info'::text, 'warn'::text, 'error'::text, 'fatal'::text])[((l.severity_number + 3) / 4)]
         END AS level,
     l.service,
     r.environment,
         CASE
             WHEN (l.has_content AND (l.body IS NULL)) THEN ( SELECT c_1.body
                FROM log_contents c_1
               WHERE ((c_1."time" >= log_rows.since) AND (c_1."time" < log_rows.until) AND (c_1."time" = l."time") AND (c_1.entry_ms = l.entry_ms) AND (c_1.entry_seq = l.entry_seq) AND (c_1.record_index = l.record_index))
              LIMIT 1)
             ELSE l.body
         END AS body,
     l.body AS hot_body,
     l.body_is_json,
     l.has_content,
     l.event_name,
     l.trace_id,
     replace((l.trace_id)::text, '-'::text, ''::text) AS trace_id_hex,
     encode(l.span_id, 'hex'::text) AS span_id,
     l.flags,
         CASE
             WHEN l.has_content THEN (l.attributes || COALESCE(( SELECT c_1.attributes
                FROM log_contents c_1
               WHERE ((c_1."time" >= log_rows.since) AND (c_1."time" < log_rows.until) AND (c_1."time" = l."time") AND (c_1.entry_ms = l.entry_ms) AND (c_1.entry_seq = l.entry_seq) AND (c_1.record_index = l.record_index))
              LIMIT 1), '{}'::jsonb))
             ELSE l.attributes
         END AS attributes,
     l.attributes AS hot_attributes,
     l.dropped_attributes_count,
     r.attributes AS resource_attributes,
     r.schema_url AS resource_schema_url,
     c.name AS scope_name,
     c.version AS scope_version,
     c.attributes AS scope_attributes,
     c.schema_url AS scope_schema_url,
     l.entry_ms,
     l.entry_seq,
     l.record_index
    FROM ((log_records l
      LEFT JOIN resources r ON ((r.resource_id = l.resource_id)))
      LEFT JOIN scopes c ON ((c.scope_id = l.scope_id)))
   WHERE ((l."time" >= log_rows.since) AND (l."time" < log_rows.until));
END
;

CREATE OR REPLACE FUNCTION public.sketch_bucket(value bigint)
 RETURNS smallint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (value IS NULL) THEN NULL::integer WHEN (value <= 0) THEN 0 ELSE (1 + (ceil((ln((value)::double precision) / (0.0400053346)::double precision)))::smallint) END
;

CREATE OR REPLACE FUNCTION public.sketch_of(buckets smallint[], counts bigint[])
 RETURNS numeric
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (SELECT sum((((b.one_count || 'e'::text) || (12 * b.bucket)))::numeric) AS sum FROM UNNEST(sketch_of.buckets, sketch_of.counts) b(bucket, one_count))
;

CREATE OR REPLACE FUNCTION public.sketch_value(bucket smallint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (bucket IS NULL) THEN NULL::bigint WHEN (bucket = 0) THEN (0)::bigint ELSE (round((exp((((bucket - 2))::numeric * 0.0400053346)) * 1.02)))::bigint END
;

CREATE OR REPLACE FUNCTION public.span_rows(since timestamp with time zone, until timestamp with time zone)
 RETURNS TABLE(trace_id uuid, trace_id_hex text, span_id text, parent_span_id text, trace_state text, flags bigint, name text, kind text, kind_code smallint, start_time timestamp with time zone, start_time_unix_nano bigint, end_time_unix_nano bigint, duration_ns bigint, status text, status_code smallint, status_message text, service text, environment text, operation text, provider text, request_model text, response_model text, model text, input_tokens bigint, output_tokens bigint, cached_tokens bigint, cache_creation_tokens bigint, reasoning_tokens bigint, time_to_first_token_ns bigint, cost numeric, cost_is_computed boolean, session_id text, user_id text, finish_reason text, error_type text, response_id text, prompt_name text, prompt_version text, has_content boolean, attributes jsonb, hot_attributes jsonb, dropped_attributes_count bigint, events jsonb, dropped_events_count bigint, links jsonb, dropped_links_count bigint, resource_attributes jsonb, resource_schema_url text, scope_name text, scope_version text, scope_attributes jsonb, scope_schema_url text, entry_ms bigint, entry_seq bigint, record_index integer)
 LANGUAGE sql
 STABLE PARALLEL SAFE
BEGIN ATOMIC
 SELECT s.trace_id,
     replace((s.trace_id)::text, '-'::text, ''::text) AS trace_id_hex,
     encode(s.span_id, 'hex'::text) AS span_id,
     encode(s.parent_span_id, 'hex'::text) AS parent_span_id,
     s.trace_state,
     s.flags,
     s.name,
         CASE s.kind
             WHEN 1 THEN 'internal'::text
             WHEN 2 THEN 'server'::text
             WHEN 3 THEN 'client'::text
             WHEN 4 THEN 'producer'::text
             WHEN 5 THEN 'consumer'::text
             ELSE 'unspecified'::text
         END AS kind,
     s.kind AS kind_code,
     s.start_time,
     s.start_time_unix_nano,
     (s.start_time_unix_nano + s.duration_ns) AS end_time_unix_nano,
     s.duration_ns,
         CASE s.status_code
             WHEN 1 THEN 'ok'::text
             WHEN 2 THEN 'error'::text
             ELSE 'unset'::text
         END AS status,
     s.status_code,
     s.status_message,
     s.service,
     r.environment,
     s.operation,
     s.provider,
     s.request_model,
     s.response_model,
     COALESCE(s.response_model, s.request_model) AS model,
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
         CASE
             WHEN s.has_content THEN (s.attributes || COALESCE(( SELECT c_1.attributes
                FROM span_contents c_1
               WHERE ((c_1.start_time >= span_rows.since) AND (c_1.start_time < span_rows.until) AND (c_1.trace_id = s.trace_id) AND (c_1.start_time = s.start_time) AND (c_1.entry_ms = s.entry_ms) AND (c_1.entry_seq = s.entry_seq) AND (c_1.record_index = s.record_index))
              LIMIT 1), '{}'::jsonb))
             ELSE s.attributes
         END AS attributes,
     s.attributes AS hot_attributes,
     s.dropped_attributes_count,
     COALESCE(s.events, '[]'::jsonb) AS events,
     s.dropped_events_count,
     COALESCE(s.links, '[]'::jsonb) AS links,
     s.dropped_links_count,
     r.attributes AS resource_attributes,
     r.schema_url AS resource_schema_url,
     c.name AS scope_name,
     c.version AS scope_version,
     c.attributes AS scope_attributes,
     c.schema_url AS scope_schema_url,
     s.entry_ms,
     s.entry_seq,
     s.record_index
    FROM ((spans s
      LEFT JOIN resources r ON ((r.resource_id = s.resource_id)))
      LEFT JOIN scopes c ON ((c.scope_id = s.scope_id)))
   WHERE ((s.start_time >= span_rows.since) AND (s.start_time < span_rows.until));
END
;

CREATE OR REPLACE FUNCTION public.trace_summaries(since timestamp with time zone, until timestamp with time zone)
 RETURNS TABLE(trace_id uuid, trace_id_hex text, start_time timestamp with time zone, start_time_unix_nano bigint, duration_ns bigint, root_name text, root_service text, span_count bigint, error_count bigint, services text[], input_tokens numeric, output_tokens numeric, cost numeric)
 LANGUAGE sql
 STABLE PARALLEL SAFE
BEGIN ATOMIC
 SELECT t.trace_id,
     replace((t.trace_id)::text, '-'::text, ''::text) AS replace,
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
    FROM (( SELECT s.trace_id,
             min(s.start_time) AS start_time,
             min(s.start_time_unix_nano) AS start_time_unix_nano,
             (max((s.start_time_unix_nano + COALESCE(s.duration_ns, (0)::bigint))) - min(s.start_time_unix_nano)) AS duration_ns,
             (array_agg(s.name ORDER BY (s.parent_span_id IS NULL) DESC, s.start_time_unix_nano))[1] AS root_name,
             (array_agg(s.service ORDER BY (s.parent_span_id IS NULL) DESC, s.start_time_unix_nano))[1] AS root_service,
             count(*) AS span_count,
             count(*) FILTER (WHERE (s.status_code = 2)) AS error_count,
             array_agg(DISTINCT s.service) AS services,
             array_agg(s.span_id) FILTER (WHERE s.has_usage) AS span_ids,
             array_agg(s.parent_span_id) FILTER (WHERE s.has_usage) AS parent_span_ids,
             array_agg(s.input_tokens) FILTER (WHERE s.has_usage) AS input_tokens,
             array_agg(s.output_tokens) FILTER (WHERE s.has_usage) AS output_tokens,
             array_agg(s.cost) FILTER (WHERE s.has_usage) AS costs
            FROM ( SELECT spans.start_time,
                     spans.start_time_unix_nano,
                     spans.resource_id,
                     spans.scope_id,
                     spans.entry_ms,
                     spans.entry_seq,
                     spans.trace_id,
                     spans.record_index,
                     spans.kind,
                     spans.status_code,
                     spans.has_content,
                     spans.span_id,
                     spans.service,
                     spans.name,
                     spans.attributes,
                     spans.parent_span_id,
                     spans.duration_ns,
                     spans.status_message,
                     spans.trace_state,
                     spans.flags,
                     spans.dropped_attributes_count,
                     spans.dropped_events_count,
                     spans.dropped_links_count,
                     spans.events,
                     spans.links,
                     spans.operation,
                     spans.provider,
                     spans.request_model,
                     spans.response_model,
                     spans.input_tokens,
                     spans.output_tokens,
                     spans.cached_tokens,
                     spans.cache_creation_tokens,
                     spans.reasoning_tokens,
                     spans.time_to_first_token_ns,
                     spans.cost,
                     spans.session_id,
                     spans.user_id,
                     spans.finish_reason,
                     spans.error_type,
                     spans.response_id,
                     spans.prompt_name,
                     spans.prompt_version,
                     spans.cost_is_computed,
                     (((spans.input_tokens IS NOT NULL) OR (spans.output_tokens IS NOT NULL) OR (spans.cost IS NOT NULL)) AND (COALESCE(spans.operation, ''::text) <> ALL (ARRAY['create_agent'::text, 'invoke_agent'::text, 'invoke_workflow'::text, 'execute_tool'::text]))) AS has_usage
                    FROM spans
                   WHERE ((spans.start_time >= trace_summaries.since) AND (spans.start_time < trace_summaries.until))) s
           GROUP BY s.trace_id) t
      LEFT JOIN LATERAL ( SELECT sum(c.input_tokens) AS input_tokens,
             sum(c.output_tokens) AS output_tokens,
             sum(c.cost) AS cost
            FROM UNNEST(t.span_ids, t.parent_span_ids, t.input_tokens, t.output_tokens, t.costs) c(span_id, parent_span_id, input_tokens, output_tokens, cost)
           WHERE (NOT (EXISTS ( SELECT
                    FROM UNNEST(t.span_ids, t.parent_span_ids) i(span_id, parent_span_id)
                   WHERE ((i.parent_span_id = c.span_id) AND (i.span_id <> c.span_id)))))) u ON (true));
END
;

create table archived_partitions (
  partition_oid oid not null,
  from_time timestamp with time zone not null,
  to_time timestamp with time zone not null,
  row_count bigint not null,
  checked_at timestamp with time zone default now() not null,
  table_name text not null,
  content_checksum text not null,
  row_versions text not null,
  archive_ids text[] not null,
  constraint archived_partitions_pkey PRIMARY KEY (partition_oid)
);

create table archives (
  archive_id text not null,
  from_time timestamp with time zone not null,
  to_time timestamp with time zone not null,
  row_count bigint not null,
  table_name text not null,
  content_checksum text not null,
  archived_at timestamp with time zone,
  verified_at timestamp with time zone,
  restored_at timestamp with time zone,
  restored_rows bigint,
  restored_into oid[],
  constraint archives_pkey PRIMARY KEY (archive_id)
);

create table changed_minutes (
  xid xid8 default pg_current_xact_id() not null,
  rolled_up_at timestamp with time zone,
  signal text not null,
  minutes int4multirange not null,
  pending int4multirange
);

create table dead_letters (
  letter_id uuid default gen_random_uuid() not null,
  dead_lettered_at timestamp with time zone default now() not null,
  replayed_at timestamp with time zone,
  purged_at timestamp with time zone,
  replay_of uuid,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  replayed_rows integer,
  payload_bytes bigint not null,
  stream text not null,
  signal text not null,
  reason text not null,
  detail text not null,
  payload_form text not null,
  sqlstate text,
  payload bytea
);

create table erased_ranges (
  erasure_id bigint not null,
  from_time timestamp with time zone not null,
  to_time timestamp with time zone not null,
  rows bigint not null,
  table_name text not null,
  constraint erased_ranges_pkey PRIMARY KEY (erasure_id, table_name, from_time)
);

create table erasing_archives (
  archive_id text not null,
  replaced_by text,
  place text not null,
  state text not null,
  constraint erasing_archives_pkey PRIMARY KEY (archive_id),
  constraint erasing_archives_state_check CHECK ((state = ANY (ARRAY['writing'::text, 'written'::text])))
);

create table erasing_records (
  "time" timestamp with time zone not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  signal text not null,
  constraint erasing_records_pkey PRIMARY KEY (signal, "time", entry_ms, entry_seq, record_index)
);

create table erasing_resources (
  resource_id bigint not null,
  constraint erasing_resources_pkey PRIMARY KEY (resource_id)
);

create table erasing_responses (
  response_id text not null,
  constraint erasing_responses_pkey PRIMARY KEY (response_id)
);

create table erasing_series (
  series_id bigint not null,
  constraint erasing_series_pkey PRIMARY KEY (series_id)
);

create table erasing_traces (
  trace_id uuid not null,
  constraint erasing_traces_pkey PRIMARY KEY (trace_id)
);

create table erasures (
  erasure_id bigint generated always as identity not null,
  started_at timestamp with time zone default now() not null,
  finished_at timestamp with time zone,
  named_by text[] not null,
  rows bigint default 0 not null,
  archived_rows bigint default 0 not null,
  letters bigint default 0 not null,
  entries bigint default 0 not null,
  subject_salt bytea,
  subject_hash bytea,
  constraint erasures_pkey PRIMARY KEY (erasure_id)
);

create table evaluations (
  "time" timestamp with time zone not null,
  time_unix_nano bigint not null,
  resource_id bigint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  "position" integer not null,
  signal text not null,
  name text not null,
  score double precision,
  label text,
  explanation text,
  evaluator text,
  error_type text,
  trace_id uuid,
  span_id bytea,
  response_id text,
  session_id text
) partition by RANGE ("time");

create table ingest_ledger (
  stream text not null,
  fork integer not null,
  ids nummultirange not null,
  entry_count integer not null,
  row_count integer not null,
  letter_count integer not null,
  committed_at timestamp with time zone default now() not null,
  entries bytea not null,
  constraint ingest_ledger_ids_once EXCLUDE USING gist (stream WITH =, fork WITH =, ids WITH &&)
);

create table log_contents (
  "time" timestamp with time zone not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  attributes jsonb not null,
  body text
) partition by RANGE ("time");

create table log_records (
  "time" timestamp with time zone not null,
  time_unix_nano bigint not null,
  resource_id bigint not null,
  scope_id bigint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  severity_number smallint not null,
  has_content boolean not null,
  body_is_json boolean not null,
  service text not null,
  attributes jsonb not null,
  body text,
  severity_text text,
  trace_id uuid,
  span_id bytea,
  observed_time_unix_nano bigint,
  event_name text,
  flags bigint,
  dropped_attributes_count bigint
) partition by RANGE ("time");

create table log_rollup_days (
  day timestamp with time zone not null,
  removal_id bigint default 0 not null,
  count bigint not null,
  severity_number smallint not null,
  service text not null,
  environment text,
  event_name text
);

create table log_rollup_hours (
  hour timestamp with time zone not null,
  removal_id bigint default 0 not null,
  count bigint not null,
  severity_number smallint not null,
  service text not null,
  environment text,
  event_name text
);

create table log_rollup_minutes (
  minute timestamp with time zone not null,
  removal_id bigint default 0 not null,
  count bigint not null,
  severity_number smallint not null,
  service text not null,
  environment text,
  event_name text
);

create table metric_points (
  "time" timestamp with time zone not null,
  time_unix_nano bigint not null,
  series_id bigint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  start_time_unix_nano bigint,
  flags bigint,
  value double precision,
  value_integer bigint,
  count bigint,
  sum double precision,
  min double precision,
  max double precision,
  explicit_bounds double precision[],
  bucket_counts bigint[],
  scale integer,
  zero_count bigint,
  zero_threshold double precision,
  positive_offset integer,
  positive_bucket_counts bigint[],
  negative_offset integer,
  negative_bucket_counts bigint[],
  quantiles double precision[],
  quantile_values double precision[],
  exemplars jsonb
) partition by RANGE ("time");

create table metric_rollup_days (
  day timestamp with time zone not null,
  series_id bigint not null,
  count bigint not null,
  first_time_unix_nano bigint not null,
  last_time_unix_nano bigint not null,
  first_start_time_unix_nano bigint,
  sum double precision,
  min double precision,
  max double precision,
  increase double precision,
  first_value double precision,
  last_value double precision,
  last_entry_ms bigint,
  last_entry_seq bigint,
  last_record_index integer,
  distribution json
);

create table metric_rollup_hours (
  hour timestamp with time zone not null,
  removal_id bigint default 0 not null,
  series_id bigint not null,
  count bigint not null,
  first_time_unix_nano bigint not null,
  last_time_unix_nano bigint not null,
  first_start_time_unix_nano bigint,
  sum double precision,
  min double precision,
  max double precision,
  increase double precision,
  first_value double precision,
  last_value double precision,
  last_entry_ms bigint,
  last_entry_seq bigint,
  last_record_index integer,
  distribution json
);

create table metric_series (
  series_id bigint not null,
  metric_id bigint not null,
  resource_id bigint not null,
  scope_id bigint not null,
  service text not null,
  attributes jsonb not null,
  first_seen timestamp with time zone default now() not null,
  constraint metric_series_pkey PRIMARY KEY (series_id)
);

create table metrics (
  metric_id bigint not null,
  name text not null,
  type text not null,
  unit text,
  description text,
  temporality text,
  is_monotonic boolean,
  first_seen timestamp with time zone default now() not null,
  constraint metrics_pkey PRIMARY KEY (metric_id)
);

create table removals (
  removal_id bigint generated always as identity not null,
  kind text not null,
  state text not null,
  signal text not null,
  table_name text not null,
  partition_name text not null,
  from_time timestamp with time zone not null,
  to_time timestamp with time zone not null,
  rules text,
  inserted_before bigint,
  rows bigint default 0 not null,
  bytes bigint default 0 not null,
  started_at timestamp with time zone default now() not null,
  finished_at timestamp with time zone,
  constraint removals_kind_check CHECK ((kind = ANY (ARRAY['partition'::text, 'rows'::text]))),
  constraint removals_pkey PRIMARY KEY (removal_id),
  constraint removals_state_check CHECK ((state = ANY (ARRAY['announced'::text, 'detaching'::text, 'detached'::text, 'removing'::text, 'removed'::text, 'abandoned'::text])))
);

create table resources (
  resource_id bigint not null,
  service text not null,
  environment text,
  schema_url text,
  attributes jsonb not null,
  first_seen timestamp with time zone default now() not null,
  constraint resources_pkey PRIMARY KEY (resource_id)
);

create table schema_migrations (
  version integer not null,
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone default now() not null,
  constraint schema_migrations_pkey PRIMARY KEY (version)
);

create table scopes (
  scope_id bigint not null,
  name text,
  version text,
  schema_url text,
  attributes jsonb not null,
  first_seen timestamp with time zone default now() not null,
  constraint scopes_pkey PRIMARY KEY (scope_id)
);

create table span_contents (
  start_time timestamp with time zone not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  trace_id uuid not null,
  record_index integer not null,
  attributes jsonb not null
) partition by RANGE (start_time);

create table span_rollup_days (
  day timestamp with time zone not null,
  removal_id bigint default 0 not null,
  count bigint not null,
  error_count bigint not null,
  count_without_cost bigint not null,
  kind smallint not null,
  status_code smallint not null,
  is_call boolean not null,
  service text not null,
  name text not null,
  environment text,
  operation text,
  provider text,
  model text,
  prompt_name text,
  prompt_version text,
  input_tokens numeric,
  output_tokens numeric,
  cached_tokens numeric,
  cache_creation_tokens numeric,
  reasoning_tokens numeric,
  cost numeric,
  duration_min bigint,
  duration_max bigint,
  first_token_min bigint,
  first_token_max bigint,
  duration_sketch numeric,
  first_token_sketch numeric
);

create table span_rollup_hours (
  hour timestamp with time zone not null,
  removal_id bigint default 0 not null,
  count bigint not null,
  error_count bigint not null,
  count_without_cost bigint not null,
  kind smallint not null,
  status_code smallint not null,
  is_call boolean not null,
  service text not null,
  name text not null,
  environment text,
  operation text,
  provider text,
  model text,
  prompt_name text,
  prompt_version text,
  input_tokens numeric,
  output_tokens numeric,
  cached_tokens numeric,
  cache_creation_tokens numeric,
  reasoning_tokens numeric,
  cost numeric,
  duration_min bigint,
  duration_max bigint,
  first_token_min bigint,
  first_token_max bigint,
  duration_sketch numeric,
  first_token_sketch numeric
);

create table span_rollup_minutes (
  minute timestamp with time zone not null,
  removal_id bigint default 0 not null,
  count bigint not null,
  error_count bigint not null,
  count_without_cost bigint not null,
  kind smallint not null,
  status_code smallint not null,
  is_call boolean not null,
  service text not null,
  name text not null,
  environment text,
  operation text,
  provider text,
  model text,
  prompt_name text,
  prompt_version text,
  input_tokens numeric,
  output_tokens numeric,
  cached_tokens numeric,
  cache_creation_tokens numeric,
  reasoning_tokens numeric,
  cost numeric,
  duration_min bigint,
  duration_max bigint,
  first_token_min bigint,
  first_token_max bigint,
  duration_buckets smallint[],
  duration_counts bigint[],
  first_token_buckets smallint[],
  first_token_counts bigint[]
);

create table spans (
  start_time timestamp with time zone not null,
  start_time_unix_nano bigint not null,
  resource_id bigint not null,
  scope_id bigint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  trace_id uuid not null,
  record_index integer not null,
  kind smallint not null,
  status_code smallint not null,
  has_content boolean not null,
  span_id bytea not null,
  service text not null,
  name text not null,
  attributes jsonb not null,
  parent_span_id bytea,
  duration_ns bigint,
  status_message text,
  trace_state text,
  flags bigint,
  dropped_attributes_count bigint,
  dropped_events_count bigint,
  dropped_links_count bigint,
  events jsonb,
  links jsonb,
  operation text,
  provider text,
  request_model text,
  response_model text,
  input_tokens bigint,
  output_tokens bigint,
  cached_tokens bigint,
  cache_creation_tokens bigint,
  reasoning_tokens bigint,
  time_to_first_token_ns bigint,
  cost numeric,
  session_id text,
  user_id text,
  finish_reason text,
  error_type text,
  response_id text,
  prompt_name text,
  prompt_version text,
  cost_is_computed boolean
) partition by RANGE (start_time);

CREATE INDEX changed_minutes_pending ON changed_minutes USING btree (signal) WHERE (pending IS NOT NULL);

CREATE INDEX changed_minutes_rolled_up_at ON changed_minutes USING btree (rolled_up_at) WHERE (rolled_up_at IS NOT NULL);

CREATE INDEX changed_minutes_xid ON changed_minutes USING btree (signal, xid);

CREATE INDEX dead_letters_entry ON dead_letters USING btree (stream, entry_ms, entry_seq);

CREATE INDEX dead_letters_id ON dead_letters USING btree (letter_id);

CREATE INDEX dead_letters_time ON dead_letters USING btree (dead_lettered_at);

CREATE INDEX erasing_records_entry ON erasing_records USING btree (signal, entry_ms, entry_seq);

CREATE INDEX evaluations_name_time ON ONLY evaluations USING btree (name, "time");

CREATE INDEX evaluations_response_id ON ONLY evaluations USING btree (response_id) WHERE (response_id IS NOT NULL);

CREATE INDEX evaluations_trace_id ON ONLY evaluations USING btree (trace_id) WHERE (trace_id IS NOT NULL);

CREATE INDEX ingest_ledger_committed_at ON ingest_ledger USING btree (committed_at);

CREATE INDEX log_contents_entry ON ONLY log_contents USING btree (entry_ms, entry_seq);

CREATE INDEX log_records_errors ON ONLY log_records USING btree ("time") WHERE (severity_number >= 17);

CREATE INDEX log_records_service_time ON ONLY log_records USING btree (service, "time");

CREATE INDEX log_records_trace_id ON ONLY log_records USING btree (trace_id) WHERE (trace_id IS NOT NULL);

CREATE INDEX log_rollup_days_day ON log_rollup_days USING btree (day);

CREATE INDEX log_rollup_hours_hour ON log_rollup_hours USING btree (hour);

CREATE INDEX log_rollup_minutes_minute ON log_rollup_minutes USING btree (minute);

CREATE INDEX log_rollup_minutes_removed ON log_rollup_minutes USING btree (minute) WHERE (removal_id <> 0);

CREATE INDEX metric_points_series_time ON ONLY metric_points USING btree (series_id, "time");

CREATE INDEX metric_rollup_days_day ON metric_rollup_days USING btree (day);

CREATE INDEX metric_rollup_days_series ON metric_rollup_days USING btree (series_id, day);

CREATE INDEX metric_rollup_hours_hour ON metric_rollup_hours USING btree (hour);

CREATE INDEX metric_rollup_hours_removed ON metric_rollup_hours USING btree (hour) WHERE (removal_id <> 0);

CREATE INDEX metric_rollup_hours_series ON metric_rollup_hours USING btree (series_id, hour);

CREATE INDEX metric_series_metric ON metric_series USING btree (metric_id);

CREATE INDEX metric_series_service ON metric_series USING btree (service);

CREATE INDEX metrics_name ON metrics USING btree (name);

CREATE INDEX removals_of_partition ON removals USING btree (partition_name, removal_id);

CREATE UNIQUE INDEX removals_unfinished ON removals USING btree (partition_name) WHERE (finished_at IS NULL);

CREATE INDEX resources_service ON resources USING btree (service);

CREATE INDEX span_contents_trace_id ON ONLY span_contents USING btree (trace_id);

CREATE INDEX span_rollup_days_day ON span_rollup_days USING btree (day);

CREATE INDEX span_rollup_hours_hour ON span_rollup_hours USING btree (hour);

CREATE INDEX span_rollup_minutes_minute ON span_rollup_minutes USING btree (minute);

CREATE INDEX span_rollup_minutes_removed ON span_rollup_minutes USING btree (minute) WHERE (removal_id <> 0);

CREATE INDEX spans_errors ON ONLY spans USING btree (start_time) WHERE (status_code = 2);

CREATE INDEX spans_model ON ONLY spans USING btree (request_model, start_time) WHERE (request_model IS NOT NULL);

CREATE INDEX spans_response_id ON ONLY spans USING hash (response_id) WHERE (response_id IS NOT NULL);

CREATE INDEX spans_service_time ON ONLY spans USING btree (service, start_time);

CREATE INDEX spans_session_id ON ONLY spans USING btree (session_id) WHERE (session_id IS NOT NULL);

CREATE INDEX spans_trace_id ON ONLY spans USING btree (trace_id);

create view evaluation_view (
  "time" timestamp with time zone,
  time_unix_nano bigint,
  name text,
  score double precision,
  label text,
  explanation text,
  evaluator text,
  error_type text,
  evaluated_by_service text,
  trace_id uuid,
  trace_id_hex text,
  span_id text,
  response_id text,
  session_id text,
  service text,
  operation text,
  provider text,
  model text,
  prompt_name text,
  prompt_version text,
  user_id text,
  signal text,
  entry_ms bigint,
  entry_seq bigint,
  record_index integer,
  "position" integer
) as
 SELECT e."time",
    e.time_unix_nano,
    e.name,
    e.score,
    e.label,
    e.explanation,
    e.evaluator,
    e.error_type,
    r.service AS evaluated_by_service,
    COALESCE(a.trace_id, e.trace_id) AS trace_id,
    replace(COALESCE(a.trace_id, e.trace_id)::text, '-'::text, ''::text) AS trace_id_hex,
    encode(COALESCE(a.span_id, e.span_id), 'hex'::text) AS span_id,
    e.response_id,
    COALESCE(e.session_id, s.session_id, a.session_id) AS session_id,
    COALESCE(s.service, a.service) AS service,
    COALESCE(s.operation, a.operation) AS operation,
    COALESCE(s.provider, a.provider) AS provider,
    COALESCE(s.response_model, s.request_model, a.response_model, a.request_model) AS model,
    COALESCE(s.prompt_name, a.prompt_name) AS prompt_name,
    COALESCE(s.prompt_version, a.prompt_version) AS prompt_version,
    COALESCE(s.user_id, a.user_id) AS user_id,
    e.signal,
    e.entry_ms,
    e.entry_seq,
    e.record_index,
    e."position"
   FROM evaluations e
     LEFT JOIN resources r ON r.resource_id = e.resource_id
     LEFT JOIN LATERAL ( SELECT s_1.session_id,
            s_1.service,
            s_1.operation,
            s_1.provider,
            s_1.request_model,
            s_1.response_model,
            s_1.prompt_name,
            s_1.prompt_version,
            s_1.user_id
           FROM spans s_1
          WHERE s_1.trace_id = e.trace_id AND s_1.span_id = e.span_id AND s_1.start_time > (e."time" - '31 days'::interval) AND s_1.start_time < (e."time" + '1 day'::interval)
         LIMIT 1) s ON true
     LEFT JOIN LATERAL ( SELECT s_1.trace_id,
            s_1.span_id,
            s_1.session_id,
            s_1.service,
            s_1.operation,
            s_1.provider,
            s_1.request_model,
            s_1.response_model,
            s_1.prompt_name,
            s_1.prompt_version,
            s_1.user_id
           FROM spans s_1
          WHERE e.span_id IS NULL AND s_1.response_id = e.response_id AND s_1.name <> 'gen_ai.evaluation.result'::text AND s_1.start_time > (e."time" - '31 days'::interval) AND s_1.start_time < (e."time" + '1 day'::interval)
          ORDER BY s_1.start_time DESC
         LIMIT 1) a ON true;

create view llm_calls (
  start_time timestamp with time zone,
  start_time_unix_nano bigint,
  trace_id uuid,
  trace_id_hex text,
  span_id text,
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
  duration_ns bigint,
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
  is_error boolean,
  name text,
  kind_code smallint,
  status_code smallint,
  hot_attributes jsonb
) as
 SELECT s.start_time,
    s.start_time_unix_nano,
    s.trace_id,
    replace(s.trace_id::text, '-'::text, ''::text) AS trace_id_hex,
    encode(s.span_id, 'hex'::text) AS span_id,
    s.service,
    r.environment,
    s.operation,
    s.provider,
    s.request_model,
    s.response_model,
    COALESCE(s.response_model, s.request_model) AS model,
    s.input_tokens,
    s.output_tokens,
    s.cached_tokens,
    s.cache_creation_tokens,
    s.reasoning_tokens,
    s.duration_ns,
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
    s.status_code = 2 AS is_error,
    s.name,
    s.kind AS kind_code,
    s.status_code,
    s.attributes AS hot_attributes
   FROM spans s
     LEFT JOIN resources r ON r.resource_id = s.resource_id
  WHERE (s.request_model IS NOT NULL OR s.response_model IS NOT NULL) AND (COALESCE(s.operation, ''::text) <> ALL (ARRAY['create_agent'::text, 'invoke_agent'::text, 'invoke_workflow'::text, 'execute_tool'::text]));

create view log_view (
  "time" timestamp with time zone,
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
) as
 SELECT l."time",
    l.time_unix_nano,
    l.observed_time_unix_nano,
    l.severity_number,
    l.severity_text,
        CASE
            WHEN l.severity_number = 0 THEN NULL::text
            ELSE (ARRAY['trace'::text, 'debug'::text, 'info'::text, 'warn'::text, 'error'::text, 'fatal'::text])[(l.severity_number + 3) / 4]
        END AS level,
    l.service,
    r.environment,
        CASE
            WHEN l.has_content AND l.body IS NULL THEN ( SELECT c_1.body
               FROM log_contents c_1
              WHERE c_1."time" >= '-infinity'::timestamp with time zone AND c_1."time" < 'infinity'::timestamp with time zone AND c_1."time" = l."time" AND c_1.entry_ms = l.entry_ms AND c_1.entry_seq = l.entry_seq AND c_1.record_index = l.record_index
             LIMIT 1)
            ELSE l.body
        END AS body,
    l.body AS hot_body,
    l.body_is_json,
    l.has_content,
    l.event_name,
    l.trace_id,
    replace(l.trace_id::text, '-'::text, ''::text) AS trace_id_hex,
    encode(l.span_id, 'hex'::text) AS span_id,
    l.flags,
        CASE
            WHEN l.has_content THEN l.attributes || COALESCE(( SELECT c_1.attributes
               FROM log_contents c_1
              WHERE c_1."time" >= '-infinity'::timestamp with time zone AND c_1."time" < 'infinity'::timestamp with time zone AND c_1."time" = l."time" AND c_1.entry_ms = l.entry_ms AND c_1.entry_seq = l.entry_seq AND c_1.record_index = l.record_index
             LIMIT 1), '{}'::jsonb)
            ELSE l.attributes
        END AS attributes,
    l.attributes AS hot_attributes,
    l.dropped_attributes_count,
    r.attributes AS resource_attributes,
    r.schema_url AS resource_schema_url,
    c.name AS scope_name,
    c.version AS scope_version,
    c.attributes AS scope_attributes,
    c.schema_url AS scope_schema_url,
    l.entry_ms,
    l.entry_seq,
    l.record_index
   FROM log_records l
     LEFT JOIN resources r ON r.resource_id = l.resource_id
     LEFT JOIN scopes c ON c.scope_id = l.scope_id
  WHERE l."time" >= '-infinity'::timestamp with time zone AND l."time" < 'infinity'::timestamp with time zone;

create view point_view (
  "time" timestamp with time zone,
  time_unix_nano bigint,
  start_time_unix_nano bigint,
  name text,
  type text,
  unit text,
  description text,
  temporality text,
  is_monotonic boolean,
  service text,
  environment text,
  attributes jsonb,
  value double precision,
  value_integer bigint,
  count bigint,
  sum double precision,
  min double precision,
  max double precision,
  explicit_bounds double precision[],
  bucket_counts bigint[],
  scale integer,
  zero_count bigint,
  zero_threshold double precision,
  positive_offset integer,
  positive_bucket_counts bigint[],
  negative_offset integer,
  negative_bucket_counts bigint[],
  quantiles double precision[],
  quantile_values double precision[],
  exemplars jsonb,
  flags bigint,
  resource_attributes jsonb,
  resource_schema_url text,
  scope_name text,
  scope_version text,
  scope_attributes jsonb,
  scope_schema_url text,
  series_id bigint,
  metric_id bigint,
  entry_ms bigint,
  entry_seq bigint,
  record_index integer
) as
 SELECT p."time",
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
    COALESCE(p.exemplars, '[]'::jsonb) AS exemplars,
    p.flags,
    r.attributes AS resource_attributes,
    r.schema_url AS resource_schema_url,
    c.name AS scope_name,
    c.version AS scope_version,
    c.attributes AS scope_attributes,
    c.schema_url AS scope_schema_url,
    p.series_id,
    s.metric_id,
    p.entry_ms,
    p.entry_seq,
    p.record_index
   FROM metric_points p
     LEFT JOIN metric_series s ON s.series_id = p.series_id
     LEFT JOIN metrics m ON m.metric_id = s.metric_id
     LEFT JOIN resources r ON r.resource_id = s.resource_id
     LEFT JOIN scopes c ON c.scope_id = s.scope_id;

create view span_view (
  trace_id uuid,
  trace_id_hex text,
  span_id text,
  parent_span_id text,
  trace_state text,
  flags bigint,
  name text,
  kind text,
  kind_code smallint,
  start_time timestamp with time zone,
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
) as
 SELECT s.trace_id,
    replace(s.trace_id::text, '-'::text, ''::text) AS trace_id_hex,
    encode(s.span_id, 'hex'::text) AS span_id,
    encode(s.parent_span_id, 'hex'::text) AS parent_span_id,
    s.trace_state,
    s.flags,
    s.name,
        CASE s.kind
            WHEN 1 THEN 'internal'::text
            WHEN 2 THEN 'server'::text
            WHEN 3 THEN 'client'::text
            WHEN 4 THEN 'producer'::text
            WHEN 5 THEN 'consumer'::text
            ELSE 'unspecified'::text
        END AS kind,
    s.kind AS kind_code,
    s.start_time,
    s.start_time_unix_nano,
    s.start_time_unix_nano + s.duration_ns AS end_time_unix_nano,
    s.duration_ns,
        CASE s.status_code
            WHEN 1 THEN 'ok'::text
            WHEN 2 THEN 'error'::text
            ELSE 'unset'::text
        END AS status,
    s.status_code,
    s.status_message,
    s.service,
    r.environment,
    s.operation,
    s.provider,
    s.request_model,
    s.response_model,
    COALESCE(s.response_model, s.request_model) AS model,
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
        CASE
            WHEN s.has_content THEN s.attributes || COALESCE(( SELECT c_1.attributes
               FROM span_contents c_1
              WHERE c_1.start_time >= '-infinity'::timestamp with time zone AND c_1.start_time < 'infinity'::timestamp with time zone AND c_1.trace_id = s.trace_id AND c_1.start_time = s.start_time AND c_1.entry_ms = s.entry_ms AND c_1.entry_seq = s.entry_seq AND c_1.record_index = s.record_index
             LIMIT 1), '{}'::jsonb)
            ELSE s.attributes
        END AS attributes,
    s.attributes AS hot_attributes,
    s.dropped_attributes_count,
    COALESCE(s.events, '[]'::jsonb) AS events,
    s.dropped_events_count,
    COALESCE(s.links, '[]'::jsonb) AS links,
    s.dropped_links_count,
    r.attributes AS resource_attributes,
    r.schema_url AS resource_schema_url,
    c.name AS scope_name,
    c.version AS scope_version,
    c.attributes AS scope_attributes,
    c.schema_url AS scope_schema_url,
    s.entry_ms,
    s.entry_seq,
    s.record_index
   FROM spans s
     LEFT JOIN resources r ON r.resource_id = s.resource_id
     LEFT JOIN scopes c ON c.scope_id = s.scope_id
  WHERE s.start_time >= '-infinity'::timestamp with time zone AND s.start_time < 'infinity'::timestamp with time zone;

create view traces (
  trace_id uuid,
  trace_id_hex text,
  start_time timestamp with time zone,
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
) as
 SELECT t.trace_id,
    replace(t.trace_id::text, '-'::text, ''::text) AS trace_id_hex,
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
   FROM ( SELECT s.trace_id,
            min(s.start_time) AS start_time,
            min(s.start_time_unix_nano) AS start_time_unix_nano,
            max(s.start_time_unix_nano + COALESCE(s.duration_ns, 0::bigint)) - min(s.start_time_unix_nano) AS duration_ns,
            (array_agg(s.name ORDER BY (s.parent_span_id IS NULL) DESC, s.start_time_unix_nano))[1] AS root_name,
            (array_agg(s.service ORDER BY (s.parent_span_id IS NULL) DESC, s.start_time_unix_nano))[1] AS root_service,
            count(*) AS span_count,
            count(*) FILTER (WHERE s.status_code = 2) AS error_count,
            array_agg(DISTINCT s.service) AS services,
            array_agg(s.span_id) FILTER (WHERE s.has_usage) AS span_ids,
            array_agg(s.parent_span_id) FILTER (WHERE s.has_usage) AS parent_span_ids,
            array_agg(s.input_tokens) FILTER (WHERE s.has_usage) AS input_tokens,
            array_agg(s.output_tokens) FILTER (WHERE s.has_usage) AS output_tokens,
            array_agg(s.cost) FILTER (WHERE s.has_usage) AS costs
           FROM ( SELECT spans.start_time,
                    spans.start_time_unix_nano,
                    spans.resource_id,
                    spans.scope_id,
                    spans.entry_ms,
                    spans.entry_seq,
                    spans.trace_id,
                    spans.record_index,
                    spans.kind,
                    spans.status_code,
                    spans.has_content,
                    spans.span_id,
                    spans.service,
                    spans.name,
                    spans.attributes,
                    spans.parent_span_id,
                    spans.duration_ns,
                    spans.status_message,
                    spans.trace_state,
                    spans.flags,
                    spans.dropped_attributes_count,
                    spans.dropped_events_count,
                    spans.dropped_links_count,
                    spans.events,
                    spans.links,
                    spans.operation,
                    spans.provider,
                    spans.request_model,
                    spans.response_model,
                    spans.input_tokens,
                    spans.output_tokens,
                    spans.cached_tokens,
                    spans.cache_creation_tokens,
                    spans.reasoning_tokens,
                    spans.time_to_first_token_ns,
                    spans.cost,
                    spans.session_id,
                    spans.user_id,
                    spans.finish_reason,
                    spans.error_type,
                    spans.response_id,
                    spans.prompt_name,
                    spans.prompt_version,
                    spans.cost_is_computed,
                    (spans.input_tokens IS NOT NULL OR spans.output_tokens IS NOT NULL OR spans.cost IS NOT NULL) AND (COALESCE(spans.operation, ''::text) <> ALL (ARRAY['create_agent'::text, 'invoke_agent'::text, 'invoke_workflow'::text, 'execute_tool'::text])) AS has_usage
                   FROM spans
                  WHERE spans.start_time >= '-infinity'::timestamp with time zone AND spans.start_time < 'infinity'::timestamp with time zone) s
          GROUP BY s.trace_id) t
     LEFT JOIN LATERAL ( SELECT sum(c.input_tokens) AS input_tokens,
            sum(c.output_tokens) AS output_tokens,
            sum(c.cost) AS cost
           FROM UNNEST(t.span_ids, t.parent_span_ids, t.input_tokens, t.output_tokens, t.costs) c(span_id, parent_span_id, input_tokens, output_tokens, cost)
          WHERE NOT (EXISTS ( SELECT
                   FROM UNNEST(t.span_ids, t.parent_span_ids) i(span_id, parent_span_id)
                  WHERE i.parent_span_id = c.span_id AND i.span_id <> c.span_id))) u ON true;

comment on column archives.archive_id is 'its folder: table, time, and when it was written';

comment on column archives.archived_at is 'null for one of another database that was restored into this one';

comment on column archives.restored_into is 'partitions that its rows came into; once one of them is gone it can be restored again';

comment on column dead_letters.payload_form is 'record: the refused record as JSON; json: the bytes of the json field; entry: all fields of the entry in RESP';

comment on column dead_letters.record_index is 'position of the record in its entry; -1 when the entry as a whole was refused';

comment on column dead_letters.replay_of is 'the letter of a whole entry whose replay refused this record; null for those that ingest wrote, which alone the ledger counts';

comment on column dead_letters.replayed_rows is 'rows that the replay wrote: several, where an entry was refused as a whole';

comment on column erasing_archives.replaced_by is 'null where nothing of it is left';

comment on column erasures.named_by is 'user, session, trace: by which ids';

comment on column erasures.rows is 'of tables; of archives there are archived_rows, most of which were in tables, too';

comment on column erasures.subject_hash is 'until it is finished: by it the same ids are known when it is run again';

comment on column evaluations."position" is 'among those of its record';

comment on column evaluations."time" is 'of the span or log record that tells it';

comment on column evaluations.response_id is 'the answer that is judged, where the span is not named';

comment on column evaluations.signal is 'traces or logs: whose stream the entry is of';

comment on column evaluations.trace_id is 'with span_id the span that is judged, alone the trace';

comment on column metric_points.value_integer is 'the exact value when it is an integer past 2^53; value then holds its nearest double';

comment on column metric_rollup_days.count is 'points';

comment on column metric_rollup_days.distribution is 'of histograms and summaries, which have no values: the first and the last point, what was measured since the first, the newest quantiles';

comment on column metric_rollup_days.increase is 'of cumulative temporality: since first_value';

comment on column metric_rollup_days.last_entry_ms is 'of the entry of the last point: of several series whose last points have one time, the one that came last is the last';

comment on column metric_rollup_hours.count is 'points';

comment on column metric_rollup_hours.distribution is 'of histograms and summaries, which have no values: the first and the last point, what was measured since the first, the newest quantiles';

comment on column metric_rollup_hours.increase is 'of cumulative temporality: since first_value';

comment on column metric_rollup_hours.last_entry_ms is 'of the entry of the last point: of several series whose last points have one time, the one that came last is the last';

comment on column removals.bytes is 'of kind rows: estimated; they come back when the partition goes';

comment on column removals.inserted_before is 'of kind rows: rows that were ever written to the partition, when the deleting began; later ones were not looked at';

comment on column removals.partition_name is 'with its schema, as SQL takes it';

comment on column removals.rules is 'of kind rows: which rows went, by the rules of then';

comment on column span_rollup_days.is_call is 'whether the spans are calls to models: those of the view llm_calls';

comment on column span_rollup_hours.is_call is 'whether the spans are calls to models: those of the view llm_calls';

comment on column span_rollup_minutes.is_call is 'whether the spans are calls to models: those of the view llm_calls';

comment on column spans.cost is 'US dollars';

comment on column spans.cost_is_computed is 'whether the cost was computed by the price list, not sent; null without a cost';
