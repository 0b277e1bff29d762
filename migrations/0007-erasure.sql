-- Erasures: that a person's data was removed, when, by what it was named, and how much it was (docs/decisions/0025-erasure.md). Not whose: whoever
-- reads this table learns no id, nor can try one out.

create table erasures (
  erasure_id bigint generated always as identity primary key,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  named_by text[] not null,
  rows bigint not null default 0,
  archived_rows bigint not null default 0,
  letters bigint not null default 0,
  entries bigint not null default 0,
  subject_salt bytea,
  subject_hash bytea
);

comment on column erasures.named_by is 'user, session, trace: by which ids';
comment on column erasures.rows is 'of tables; of archives there are archived_rows, most of which were in tables, too';
comment on column erasures.subject_hash is 'until it is finished: by it the same ids are known when it is run again';

-- Where rows were taken from tables, or changed: what the audit must not take for lost, and what is to be vacuumed.
create table erased_ranges (
  erasure_id bigint not null,
  from_time timestamptz not null,
  to_time timestamptz not null,
  rows bigint not null,
  table_name text not null,
  primary key (erasure_id, table_name, from_time)
);

-- What is to go of erasures that have not ended: found before anything goes, so that a process that died is followed by one that knows, though what it was
-- found by is gone. Empty otherwise.

create table erasing_traces (trace_id uuid primary key);
create table erasing_responses (response_id text primary key);
create table erasing_resources (resource_id bigint primary key);
create table erasing_series (series_id bigint primary key);

-- Records, by the signal of their stream: rows that bear all of this are of it, in whatever table or archive.
create table erasing_records (
  time timestamptz not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  record_index integer not null,
  signal text not null,
  primary key (signal, time, entry_ms, entry_seq, record_index)
);

create index erasing_records_entry on erasing_records (signal, entry_ms, entry_seq);

-- Archives that are written anew: writing → written. What was being written is thrown away by the next run; when it was written, the old one is.
create table erasing_archives (
  archive_id text primary key,
  replaced_by text,
  place text not null,
  state text not null check (state in ('writing', 'written'))
);

comment on column erasing_archives.replaced_by is 'null where nothing of it is left';
