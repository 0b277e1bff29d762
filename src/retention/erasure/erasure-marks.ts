import type pg from 'pg'

const TABLES = [
  'erasing_traces',
  'erasing_responses',
  'erasing_resources',
  'erasing_series',
  'erasing_records',
] as const

/** Has the session mark in tables of its own, which stand before those of the database: for who only wants to know. */
export async function markAside(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
  for (const table of TABLES)
    await client.query(`create temporary table ${table} (like ${table} including all)`)
}
