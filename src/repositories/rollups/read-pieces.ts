import type pg from 'pg'
import { parseMultirange } from '../../retention/rollups/changed-minutes.ts'
import { listServices } from '../../retention/rollups/list-services.ts'
import type { Rollup } from '../../retention/rollups/rollup.ts'
import { microseconds, type RecordFilter } from '../filter.ts'
import { type Pieces, planPieces } from './plan-pieces.ts'

/** What a question is answered by, as this snapshot has it. */
export interface KnownPieces {
  readonly pieces: Pieces
  readonly services: readonly string[] | undefined
}

/** @returns undefined where rollups have nothing of the time range that rows have not. */
export async function readPieces(
  client: pg.ClientBase,
  rollup: Rollup,
  {
    from,
    to,
    service,
    step,
  }: Pick<RecordFilter, 'from' | 'to' | 'service'> & { readonly step: bigint | undefined },
): Promise<KnownPieces | undefined> {
  const { rows } = await client.query<{ pending: string | null; removed: boolean }>(
    `select (select range_agg(pending)::text from changed_minutes where signal = $1 and pending is not null) as pending,
            exists (select from ${rollup.minutes} where removal_id <> 0 and minute >= $2 and minute < $3) as removed`,
    [
      rollup.signal,
      from === undefined ? '-infinity' : microseconds(from),
      to === undefined ? 'infinity' : microseconds(to),
    ],
  )
  const pieces = planPieces({ from, to, step, pending: parseMultirange(rows[0]?.pending ?? '') })
  const isRolled = [pieces.days, pieces.hours, pieces.minutes].some((ranges) => ranges.length > 0)
  if (!isRolled && (rows[0]?.removed !== true || pieces.rows.length === 0)) return undefined
  return { pieces, services: service === undefined ? await listServices(client) : [service] }
}
