import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { codeOf, ObservatoryError } from '../errors.ts'
import { replaceFile } from './servers-file.ts'

/** The superuser of the embedded PostgreSQL, and the database of the same name. */
export const EMBEDDED_POSTGRES_USER = 'observatory'

/**
 * The superuser's password from a PGPASSFILE (libpq's format), made and written durably when there is no such file yet.
 *
 * @throws ObservatoryError ERR_SERVER_UNSUITABLE when the file holds no password for that user.
 */
export async function readOrMakePassword(file: string): Promise<string> {
  return (await readPassword(file)) ?? (await makePassword(file))
}

/** The password, or undefined when the file is missing. */
export async function readPassword(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const [, password] = /^127\.0\.0\.1:\*:\*:observatory:([\w-]{1,200})$/m.exec(text) ?? []
  if (password !== undefined) return password
  throw new ObservatoryError(
    'ERR_SERVER_UNSUITABLE',
    `${file} holds no password for ${EMBEDDED_POSTGRES_USER} on 127.0.0.1. Restore it, or delete the folder it is in ` +
      'together with the data',
  )
}

async function makePassword(file: string): Promise<string> {
  const password = randomBytes(24).toString('base64url')
  // Any port: the server moves to the next one when its own is taken.
  await replaceFile(file, `127.0.0.1:*:*:${EMBEDDED_POSTGRES_USER}:${password}\n`)
  return password
}
