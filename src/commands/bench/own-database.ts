import { randomBytes } from 'node:crypto'
import { messageOf, ObservatoryError } from '../../errors.ts'
import type { Releasers } from '../../lifecycle.ts'
import { openClient } from '../../postgres-connection.ts'

/**
 * @returns the URL of a new, empty database on the same server, which `releasers` drops.
 * @throws ObservatoryError ERR_SERVER_UNSUITABLE when the account may not create one.
 */
export async function createOwnDatabase(serverUrl: string, releasers: Releasers): Promise<string> {
  const name = `observatory_bench_${randomBytes(4).toString('hex')}`
  await onServer(serverUrl, `create database ${name}`)
  releasers.defer(`database ${name}`, () => onServer(serverUrl, `drop database ${name} with (force)`))
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}

async function onServer(databaseUrl: string, sql: string): Promise<void> {
  const client = await openClient({ databaseUrl, applicationName: 'observatory bench' })
  try {
    await client.query(sql)
  } catch (cause) {
    const message = `the bench needs a database of its own, and "${sql}" failed: ${messageOf(cause)}; let the account of DATABASE_URL create databases`
    throw new ObservatoryError('ERR_SERVER_UNSUITABLE', message, { cause })
  } finally {
    await client.end()
  }
}
