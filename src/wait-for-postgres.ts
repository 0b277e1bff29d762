import { messageOf, ObservatoryError, sqlStateOf } from './errors.ts'
import type { Logger } from './logger.ts'
import { createClient, describePostgres, queryWithin } from './postgres-connection.ts'
import { isTlsRefusal, waitForServer } from './wait-for-server.ts'

export interface PostgresVersion {
  /** As the server says it: `18.4`. */
  readonly version: string
  /** `server_version_num`: 180004. */
  readonly versionNumber: number
}

export interface WaitForPostgresOptions {
  readonly databaseUrl: string
  /** Milliseconds until giving up; 0 tries once. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Told once, if the server does not answer at once. */
  readonly log?: Pick<Logger, 'info'>
}

/**
 * Waits until PostgreSQL answers a query, and checks its version.
 * @throws ObservatoryError ERR_SERVER_UNREACHABLE when time is up, ERR_CONFIG_INVALID when it refuses the
 * user, the password, the database or TLS (at once), ERR_SERVER_UNSUITABLE when it is too old.
 */
export async function waitForPostgres(options: WaitForPostgresOptions): Promise<PostgresVersion> {
  const { databaseUrl, signal } = options
  const server = describePostgres(databaseUrl)
  return waitForServer({
    server,
    setting: 'DATABASE_URL',
    timeoutMs: options.timeoutMs,
    signal,
    log: options.log,
    isRefusal: (error) =>
      REFUSALS.has(sqlStateOf(error) ?? '') || isTlsRefusal(error) || messageOf(error) === WITHOUT_TLS,
    attempt: async (timeoutMs) => {
      const version = await askVersion(databaseUrl, timeoutMs, signal)
      assertSuitableVersion(server, version)
      return version
    },
  })
}

/** pg says so where sslmode asks for TLS that the server does not have. */
const WITHOUT_TLS = 'The server does not support SSL connections'

/** invalid_password, invalid_authorization_specification, invalid_catalog_name, insufficient_privilege. */
const REFUSALS = new Set(['28P01', '28000', '3D000', '42501'])

async function askVersion(
  databaseUrl: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<PostgresVersion> {
  const client = createClient({ databaseUrl, applicationName: 'observatory start' }, timeoutMs)
  const cut = (): void => {
    client.connection.stream.destroy()
  }
  signal?.addEventListener('abort', cut)
  try {
    await client.connect()
    const { rows } = await queryWithin(client, timeoutMs, ASK_VERSION)
    await client.end()
    const [row] = rows as readonly { version: string; version_number: number }[]
    if (row === undefined) throw new TypeError('PostgreSQL answered without a row')
    return { version: row.version, versionNumber: row.version_number }
  } finally {
    signal?.removeEventListener('abort', cut)
    cut()
  }
}

const ASK_VERSION = `
  select split_part(current_setting('server_version'), ' ', 1) as version,
         current_setting('server_version_num')::int as version_number`

const OLDEST_SUITABLE = 150_000

/** @throws ObservatoryError ERR_SERVER_UNSUITABLE before PostgreSQL 15. */
export function assertSuitableVersion(server: string, { version, versionNumber }: PostgresVersion): void {
  if (versionNumber >= OLDEST_SUITABLE) return
  throw new ObservatoryError(
    'ERR_SERVER_UNSUITABLE',
    `${server} is version ${version}; PostgreSQL 15 or newer is needed: upgrade it, or use another`,
  )
}
