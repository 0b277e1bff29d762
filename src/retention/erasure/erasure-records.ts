import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { type ErasedPerson, namedBy, personHash } from './erased-person.ts'

type Queryable = Pick<pg.ClientBase, 'query'>

/** What was erased of each kind. */
export interface ErasedCounts {
  readonly rows: number
  readonly archivedRows: number
  readonly letters: number
  readonly entries: number
}

interface UnfinishedErasure {
  readonly erasure_id: string
  readonly started_at: Date
  readonly subject_salt: Buffer
  readonly subject_hash: Buffer
}

export interface BegunErasure {
  readonly erasureId: string
  /** When those of others were begun that have not ended: they are to be run again. */
  readonly unfinished: readonly Date[]
}

/** Notes an erasure before its first step. One of the same ids that has not ended goes on. */
export async function beginErasure(client: Queryable, person: ErasedPerson): Promise<BegunErasure> {
  const { rows } = await client.query<UnfinishedErasure>(
    'select erasure_id, started_at, subject_salt, subject_hash from erasures where finished_at is null order by erasure_id',
  )
  const isSame = ({ subject_salt, subject_hash }: UnfinishedErasure) =>
    personHash(person, subject_salt).equals(subject_hash)
  const own = rows.find(isSame)
  const unfinished = rows.filter((row) => row !== own).map(({ started_at }) => started_at)
  if (own !== undefined) return { erasureId: own.erasure_id, unfinished }
  const salt = randomBytes(16)
  const { rows: added } = await client.query<{ erasure_id: string }>(
    'insert into erasures (named_by, subject_salt, subject_hash) values ($1, $2, $3) returning erasure_id',
    [namedBy(person), salt, personHash(person, salt)],
  )
  return { erasureId: added[0]?.erasure_id ?? '', unfinished }
}

/** Adds to what was erased, in the transaction that does it. */
export async function addToErasure(
  client: Queryable,
  erasureId: string,
  { rows = 0, archivedRows = 0, letters = 0, entries = 0 }: Partial<ErasedCounts>,
): Promise<void> {
  await client.query(
    `update erasures set rows = rows + $2, archived_rows = archived_rows + $3, letters = letters + $4, entries = entries + $5
      where erasure_id = $1`,
    [erasureId, rows, archivedRows, letters, entries],
  )
}

/** Notes that an erasure has ended, and forgets what was marked, and by what it was known. */
export async function endErasure(client: Queryable, erasureId: string): Promise<ErasedCounts> {
  await client.query('begin')
  await client.query(
    'truncate erasing_traces, erasing_responses, erasing_resources, erasing_series, erasing_records',
  )
  const { rows } = await client.query<{
    rows: string
    archived_rows: string
    letters: string
    entries: string
  }>(
    `update erasures set finished_at = now(), subject_salt = null, subject_hash = null
      where erasure_id = $1 returning rows, archived_rows, letters, entries`,
    [erasureId],
  )
  await client.query('commit')
  const [row] = rows
  return {
    rows: Number(row?.rows),
    archivedRows: Number(row?.archived_rows),
    letters: Number(row?.letters),
    entries: Number(row?.entries),
  }
}
