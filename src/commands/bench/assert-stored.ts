import { ObservatoryError } from '../../errors.ts'
import type { TelemetrySignal } from '../../models/telemetry-signal.ts'
import type { BenchSetup } from './bench-setup.ts'
import { SIGNAL_TABLES } from './signal-tables.ts'

/**
 * Whoever loses or doubles rows is no contender.
 *
 * @param by who wrote them, for the message.
 * @throws ObservatoryError ERR_INGEST_STOPPED when the table of a signal does not hold exactly so many rows.
 */
export async function assertStored(
  { client }: BenchSetup,
  signal: TelemetrySignal,
  { rows, by }: { readonly rows: number; readonly by: string },
): Promise<void> {
  const [table] = SIGNAL_TABLES[signal]
  const { rows: counted } = await client.query<{ count: string }>(`select count(*) as count from ${table}`)
  if (Number(counted[0]?.count) === rows) return
  const message = `${by} stored ${counted[0]?.count} of ${rows} rows, so that its time says nothing; this is a defect of the bench, or of the service`
  throw new ObservatoryError('ERR_INGEST_STOPPED', message)
}
