-- Rollups: what was counted and measured, a row for each minute (and hour, and day) and everything that rows have in common. They answer in
-- place of the rows wherever a question asks for no more (docs/decisions/0024-rollups.md), and outlive them.

-- Which minutes (since 1970) of a signal a transaction wrote, changed or took rows of: one row a transaction, committed with it. So a snapshot that
-- sees the rows sees this, too, and whoever has computed something from rows knows by it whether it still holds.
create table changed_minutes (
  xid xid8 not null default pg_current_xact_id(),
  -- When all of it was taken up by rollups.
  rolled_up_at timestamptz,
  signal text not null,
  minutes int4multirange not null,
  -- Those whose rollups do not have the change yet; null where all do.
  pending int4multirange
);

create index changed_minutes_xid on changed_minutes (signal, xid);
create index changed_minutes_pending on changed_minutes (signal) where pending is not null;
create index changed_minutes_rolled_up_at on changed_minutes (rolled_up_at) where rolled_up_at is not null;

-- Durations are kept as DDSketch does (Masson, Rim, Lee: DDSketch, VLDB 2019): a bucket takes all values that are within 2 % of its middle.
-- 0.0400053346 is ln(1.02 / 0.98). What is not above 0 is in bucket 0.
create function sketch_bucket(value bigint) returns smallint language sql immutable parallel safe
  return case when value is null then null when value <= 0 then 0 else 1 + ceil(ln(value::double precision) / 0.0400053346)::smallint end;

create function sketch_value(bucket smallint) returns bigint language sql immutable parallel safe
  return case when bucket is null then null when bucket = 0 then 0 else round(exp((bucket - 2) * 0.0400053346) * 1.02)::bigint end;

-- A sketch as one number: twelve decimal digits for each bucket, the first last. So sum() adds up all buckets of many sketches at once.
create function sketch_of(buckets smallint[], counts bigint[]) returns numeric language sql immutable parallel safe
  return (select sum((one_count || 'e' || 12 * bucket)::numeric) from unnest(buckets, counts) as b (bucket, one_count));

-- `removal_id` is 0 of rows that are there; of rows that retention has taken away it says by which removal: these stay as they are.
create table span_rollup_minutes (
  minute timestamptz not null,
  removal_id bigint not null default 0,
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
  -- Sparse: of a minute there is little. A bucket may come several times.
  duration_buckets smallint[],
  duration_counts bigint[],
  first_token_buckets smallint[],
  first_token_counts bigint[]
);

comment on column span_rollup_minutes.is_call is 'whether the spans are calls to models: those of the view llm_calls';

create table span_rollup_hours (like span_rollup_minutes including defaults including comments);
alter table span_rollup_hours rename column minute to hour;
alter table span_rollup_hours drop column duration_buckets, drop column duration_counts, drop column first_token_buckets, drop column first_token_counts;
alter table span_rollup_hours add column duration_sketch numeric, add column first_token_sketch numeric;

create table span_rollup_days (like span_rollup_hours including defaults including comments);
alter table span_rollup_days rename column hour to day;

create table log_rollup_minutes (
  minute timestamptz not null,
  removal_id bigint not null default 0,
  count bigint not null,
  severity_number smallint not null,
  service text not null,
  environment text,
  event_name text
);

create table log_rollup_hours (like log_rollup_minutes including defaults);
alter table log_rollup_hours rename column minute to hour;

create table log_rollup_days (like log_rollup_hours including defaults);
alter table log_rollup_days rename column hour to day;

create index span_rollup_minutes_minute on span_rollup_minutes (minute);
create index span_rollup_hours_hour on span_rollup_hours (hour);
create index span_rollup_days_day on span_rollup_days (day);
create index log_rollup_minutes_minute on log_rollup_minutes (minute);
create index log_rollup_hours_hour on log_rollup_hours (hour);
create index log_rollup_days_day on log_rollup_days (day);
-- What was taken away, which is asked for beside rows.
create index span_rollup_minutes_removed on span_rollup_minutes (minute) where removal_id <> 0;
create index log_rollup_minutes_removed on log_rollup_minutes (minute) where removal_id <> 0;

-- Of metrics, a row is what is known of a series in an hour: rows of hours that follow each other are put together as if their points were. There are none of minutes:
-- most series have a point a minute.
create table metric_rollup_hours (
  hour timestamptz not null,
  removal_id bigint not null default 0,
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

comment on column metric_rollup_hours.count is 'points';
comment on column metric_rollup_hours.increase is 'of cumulative temporality: since first_value';
comment on column metric_rollup_hours.last_entry_ms is 'of the entry of the last point: of several series whose last points have one time, the one that came last is the last';
comment on column metric_rollup_hours.distribution is 'of histograms and summaries, which have no values: the first and the last point, what was measured since the first, the newest quantiles';

create table metric_rollup_days (like metric_rollup_hours including comments);
alter table metric_rollup_days rename column hour to day;
-- A day has all there is of it.
alter table metric_rollup_days drop column removal_id;

create index metric_rollup_hours_hour on metric_rollup_hours (hour);
create index metric_rollup_hours_series on metric_rollup_hours (series_id, hour);
create index metric_rollup_hours_removed on metric_rollup_hours (hour) where removal_id <> 0;
create index metric_rollup_days_day on metric_rollup_days (day);
create index metric_rollup_days_series on metric_rollup_days (series_id, day);

-- Doubles are added up as decimal numbers: sum(double precision) of what is sent may overflow, which is an error.
create function exact_of(value double precision) returns numeric language sql immutable parallel safe return value::text::numeric;

create function double_of(value numeric) returns double precision language sql immutable parallel safe
  return case when value in ('NaN', 'Infinity', '-Infinity') then value::double precision
    when abs(value) > 1.7976931348623157e308 then sign(value) * 'Infinity'::double precision
    when abs(value) < 2.2250738585072014e-308 then 0 else value::double precision end;

-- What has no rollups yet is pending.
insert into changed_minutes (signal, minutes, pending)
select signal, minutes, minutes
from (
  select 'traces' as signal, int4multirange(int4range(floor(extract(epoch from min(start_time)) / 60)::int4, floor(extract(epoch from max(start_time)) / 60)::int4, '[]')) as minutes from spans
  union all
  select 'logs', int4multirange(int4range(floor(extract(epoch from min(time)) / 60)::int4, floor(extract(epoch from max(time)) / 60)::int4, '[]')) from log_records
  union all
  select 'metrics', int4multirange(int4range(floor(extract(epoch from min(time)) / 60)::int4, floor(extract(epoch from max(time)) / 60)::int4, '[]')) from metric_points
) as stored
where not isempty(minutes) and not upper_inf(minutes);
