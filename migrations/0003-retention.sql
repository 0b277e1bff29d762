-- What retention has removed, and what it is removing: a row is there before the first step, so that whoever comes after a process that died knows
-- what to finish.

create table removals (
  removal_id bigint generated always as identity primary key,
  kind text not null check (kind in ('partition', 'rows')),
  state text not null check (state in ('announced', 'detaching', 'detached', 'removing', 'removed', 'abandoned')),
  signal text not null,
  table_name text not null,
  partition_name text not null,
  from_time timestamptz not null,
  to_time timestamptz not null,
  rules text,
  inserted_before bigint,
  rows bigint not null default 0,
  bytes bigint not null default 0,
  started_at timestamptz not null default now(),
  finished_at timestamptz
);

comment on column removals.partition_name is 'with its schema, as SQL takes it';
comment on column removals.rules is 'of kind rows: which rows went, by the rules of then';
comment on column removals.inserted_before is
  'of kind rows: rows that were ever written to the partition, when the deleting began; later ones were not looked at';
comment on column removals.bytes is 'of kind rows: estimated; they come back when the partition goes';

-- Nobody begins what another one has not finished.
create unique index removals_unfinished on removals (partition_name) where finished_at is null;
create index removals_of_partition on removals (partition_name, removal_id);
