import { join } from 'node:path'
import { EMBEDDED_POSTGRES_USER } from './postgres-password.ts'
import { quoteForShell } from './quote-for-shell.ts'

export interface ConnectionCommandsOptions {
  readonly dataDir: string
  readonly databaseUrl?: string | undefined
  readonly redisUrl?: string | undefined
}

/**
 * The shell commands that open the embedded servers, to be printed as they are: the password stays in its file.
 *
 * Only for URLs that `joinServers` of the same `dataDir` gave.
 */
export function connectionCommands(options: ConnectionCommandsOptions): { psql?: string; redisCli?: string } {
  const { dataDir, databaseUrl, redisUrl } = options
  const user = EMBEDDED_POSTGRES_USER
  const passwordFile = quoteForShell(join(dataDir, 'pgpass'))
  return {
    ...(redisUrl ? { redisCli: `redis-cli -p ${new URL(redisUrl).port}` } : {}),
    ...(databaseUrl
      ? {
          psql: `PGPASSFILE=${passwordFile} psql -h 127.0.0.1 -p ${new URL(databaseUrl).port} -U ${user} ${user}`,
        }
      : {}),
  }
}
