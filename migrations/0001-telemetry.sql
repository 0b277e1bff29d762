-- Telemetry tables, interned content, dead letters and the ledger.
-- Wide fixed columns come first and nullable ones last: a row then has no padding, and an absent value costs one bit.

create extension if not exists btree_gist;

-- What repeats is stored once, keyed by a 64-bit hash of its canonical content, so that any worker knows an id
-- without asking. Rows refer to these by id; there are no foreign keys (a worker commits these rows first).

create table resources (
  resource_id bigint primary key,
  service text not null,
  environment text,
  schema_url text,
  attributes jsonb not null,
  first_seen timestamptz not null default now()
);

-- Services are found by skipping through it.
create index resources_service on resources (service);

create table scopes (
  scope_id bigint primary key,
  name text,
  version text,
  schema_url text,
  attributes jsonb not null,
  first_seen timestamptz not null default now()
);

create table metrics (
  metric_id bigint primary key,
  name text not null,
  type text not null,
  unit text,
  description text,
  temporality text,
  is_monotonic boolean,
  first_seen timestamptz not null default now()
);

create index metrics_name on metrics (name);

create table metric_series (
  series_id bigint primary key,
  metric_id bigint not null,
  resource_id bigint not null,
  scope_id bigint not null,
  service text not null,
  attributes jsonb not null,
  first_seen timestamptz not null default now()
);

create index metric_series_metric on metric_series (metric_id);
create index metric_series_service on metric_series (service);

-- The three signals, range-partitioned by time. Partitions are created by the service, ahead and on demand.

create table spans (
  start_time timestamptz not null,
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
) partition by range (start_time);

comment on column spans.cost is 'US dollars';
comment on column spans.cost_is_computed is
  'whether the cost was computed by the price list, not sent; null without a cost';

create index spans_trace_id on spans (trace_id);
create index spans_service_time on spans (service, start_time);
create index spans_errors on spans (start_time) where status_code = 2;
create index spans_model on spans (request_model, start_time) where request_model is not null;
create index spans_session_id on spans (session_id) where session_id is not null;
-- Feedback of users names the answer, not the span. Only looked up: a hash costs half of what a btree does.
create index spans_response_id on spans using hash (response_id) where response_id is not null;

-- Prompt and completion bodies: attributes of a span that are large, rarely read and often private.
create table span_contents (
  start_time timestamptz not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  trace_id uuid not null,
  record_index integer not null,
  attributes jsonb not null
) partition by range (start_time);

create index span_contents_trace_id on span_contents (trace_id);

create table log_records (
  time timestamptz not null,
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
) partition by range (time);

create index log_records_service_time on log_records (service, time);
create index log_records_trace_id on log_records (trace_id) where trace_id is not null;
create index log_records_errors on log_records (time) where severity_number >= 17;

-- The same of log records: attributes, and the body of events that are messages.
create table log_contents (
  time timestamptz not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  attributes jsonb not null,
  body text
) partition by range (time);

create index log_contents_entry on log_contents (entry_ms, entry_seq);

-- What was found of calls: results of evaluations, scores, feedback. A row for each that a span or a log record tells.
create table evaluations (
  time timestamptz not null,
  time_unix_nano bigint not null,
  resource_id bigint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  position integer not null,
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
) partition by range (time);

comment on column evaluations.time is 'of the span or log record that tells it';
comment on column evaluations.position is 'among those of its record';
comment on column evaluations.signal is 'traces or logs: whose stream the entry is of';
comment on column evaluations.trace_id is 'with span_id the span that is judged, alone the trace';
comment on column evaluations.response_id is 'the answer that is judged, where the span is not named';

create index evaluations_name_time on evaluations (name, time);
create index evaluations_trace_id on evaluations (trace_id) where trace_id is not null;
create index evaluations_response_id on evaluations (response_id) where response_id is not null;

create table metric_points (
  time timestamptz not null,
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
) partition by range (time);

comment on column metric_points.value_integer is
  'the exact value when it is an integer past 2^53; value then holds its nearest double';

create index metric_points_series_time on metric_points (series_id, time);

-- Refused records, with the reason from a closed list. Committed in the same transaction as the batch's rows. A letter stays as long as the
-- ledger row that counts it: replayed, it says so, and so does a purged one, whose detail and payload are gone.
create table dead_letters (
  letter_id uuid not null default gen_random_uuid(),
  dead_lettered_at timestamptz not null default now(),
  replayed_at timestamptz,
  purged_at timestamptz,
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

comment on column dead_letters.payload_form is
  'record: the refused record as JSON; json: the bytes of the json field; entry: all fields of the entry in RESP';
comment on column dead_letters.replayed_rows is 'rows that the replay wrote: several, where an entry was refused as a whole';
comment on column dead_letters.replay_of is
  'the letter of a whole entry whose replay refused this record; null for those that ingest wrote, which alone the ledger counts';
comment on column dead_letters.record_index is
  'position of the record in its entry; -1 when the entry as a whole was refused';

create index dead_letters_id on dead_letters (letter_id);
create index dead_letters_time on dead_letters (dead_lettered_at);
create index dead_letters_entry on dead_letters (stream, entry_ms, entry_seq);

-- The ledger: which entries of which stream were ingested, written in the transaction that ingested them.
-- An entry id ms-seq is the number ms * 10^20 + seq. A row covers the ranges its reads returned; `entries` lists the
-- entries themselves (see writers/packed-entries.ts). Another history of the same stream goes to the next fork.
create table ingest_ledger (
  stream text not null,
  fork integer not null,
  ids nummultirange not null,
  entry_count integer not null,
  row_count integer not null,
  letter_count integer not null,
  committed_at timestamptz not null default now(),
  entries bytea not null,
  constraint ingest_ledger_ids_once exclude using gist (stream with =, fork with =, ids with &&)
);

create index ingest_ledger_committed_at on ingest_ledger (committed_at);
