import type pg from 'pg'

/** Some are of newer versions of PostgreSQL: `transaction_timeout` is there since 17. */
const LIMITS = { idle_session_timeout: '0', transaction_timeout: '0', statement_timeout: '0' }

const SET = `
  select set_config(name, value, false) from unnest($1::text[], $2::text[]) as setting (name, value)
   where current_setting(name, true) is not null`

/** Lets a session take its time: no limit of server, database or role ends what it does, nor the session while it waits for what is done elsewhere. @param more settings of it. */
export async function liftTimeLimits(
  client: Pick<pg.ClientBase, 'query'>,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const settings = { ...LIMITS, ...more }
  await client.query(SET, [Object.keys(settings), Object.values(settings)])
}
