-- Archives: what was written of which partition, and what came back. The archives themselves say what is in them (their manifests); these
-- tables only spare reading them again, and make a restore one transaction.

create table archives (
  archive_id text primary key,
  from_time timestamptz not null,
  to_time timestamptz not null,
  row_count bigint not null,
  table_name text not null,
  content_checksum text not null,
  archived_at timestamptz,
  verified_at timestamptz,
  restored_at timestamptz,
  restored_rows bigint,
  restored_into oid[]
);

comment on column archives.archive_id is 'its folder: table, time, and when it was written';
comment on column archives.archived_at is 'null for one of another database that was restored into this one';
comment on column archives.restored_into is 'partitions that its rows came into; once one of them is gone it can be restored again';

-- Partitions all of whose rows are in archives, and how their rows were then.
create table archived_partitions (
  partition_oid oid primary key,
  from_time timestamptz not null,
  to_time timestamptz not null,
  row_count bigint not null,
  checked_at timestamptz not null default now(),
  table_name text not null,
  content_checksum text not null,
  row_versions text not null,
  archive_ids text[] not null
);
