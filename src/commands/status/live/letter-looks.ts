import type pg from 'pg'

/** Dead letters of one signal and reason. */
export interface LetterLook {
  readonly signal: string
  readonly reason: string
  /** Neither replayed nor purged. */
  readonly kept: number
  /** Those that came since the view was begun. */
  readonly since: number
}

/** More reasons than there are; a bound all the same. */
const MAX_GROUPS = 50

const KEPT = `
  select signal, reason, count(*)::float8 as kept, 0 as since from dead_letters
   where replayed_at is null and purged_at is null
   group by signal, reason order by kept desc, signal, reason limit ${MAX_GROUPS}`

const SINCE = `
  select signal, reason, count(*) filter (where replayed_at is null and purged_at is null)::float8 as kept, count(*)::float8 as since
    from dead_letters where dead_lettered_at > $1
   group by signal, reason order by since desc, signal, reason limit ${MAX_GROUPS}`

/** The most frequent first. @throws what pg throws. */
export async function readKeptLetters(client: pg.Client): Promise<readonly LetterLook[]> {
  return (await client.query<LetterLook>(KEPT)).rows
}

/** By their index on time. @throws what pg throws. */
export async function readLettersSince(client: pg.Client, startedAt: Date): Promise<readonly LetterLook[]> {
  return (await client.query<LetterLook>(SINCE, [startedAt])).rows
}
