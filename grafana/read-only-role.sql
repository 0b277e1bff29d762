-- A role for Grafana and others who only look: it reads the views of migrations/0002-views.sql, and nothing else
-- (docs/decisions/0020-dashboards.md).
--
--   psql "$DATABASE_URL" -f grafana/read-only-role.sql -c '\password observatory_reader'
--
-- Run it as the owner of the tables or a superuser, with the right to create roles; the service itself needs no such right. It may be run
-- again at any time, and must be after an update that made a view anew, which loses its grants. The role is one of the whole cluster: for a second database of it
-- run this there, too. Rights are those of views alone, so that partitions may come and go.

begin;

do $$
declare
  reader constant text := 'observatory_reader';
begin
  if not exists (select from pg_roles where rolname = reader) then
    execute format('create role %I login', reader);
  end if;
  execute format('grant connect on database %I to %I', current_database(), reader);
  execute format('grant usage on schema %I to %I', (select relnamespace::regnamespace from pg_class where oid = 'span_view'::regclass), reader);
end $$;

-- More connections than this, of all its users together, are refused: the rest are for ingest.
alter role observatory_reader connection limit 20;
-- A session can set these otherwise. What holds is that the role has no right to write anything.
alter role observatory_reader set default_transaction_read_only = on;
alter role observatory_reader set statement_timeout = '30s';
alter role observatory_reader set idle_in_transaction_session_timeout = '1min';
-- Waiting for a lock that a migration has, it would hold up what waits behind it.
alter role observatory_reader set lock_timeout = '5s';

grant select on span_view, log_view, point_view, traces, llm_calls, evaluation_view to observatory_reader;

commit;
