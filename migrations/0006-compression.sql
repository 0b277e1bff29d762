-- lz4 where the server has it: large values take about as much room as with pglz, and a fraction of the time. Partitions that are there stay as they are.

do $$
begin
  alter table spans alter column attributes set compression lz4, alter column events set compression lz4, alter column links set compression lz4;
  alter table span_contents alter column attributes set compression lz4;
  alter table log_records alter column attributes set compression lz4, alter column body set compression lz4;
  alter table log_contents alter column attributes set compression lz4, alter column body set compression lz4;
  alter table evaluations alter column explanation set compression lz4;
  alter table metric_points alter column exemplars set compression lz4;
exception when feature_not_supported then
  raise notice 'this server was built without lz4: large values are compressed by pglz';
end $$;
