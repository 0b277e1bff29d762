import pg from 'pg'

/** The same server and account, another database. */
export function urlOfDatabase(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

/** Runs `work` with a connection of its own, which is closed afterwards. */
export async function withPostgres<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'observatory test harness' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
