import { execFile } from 'node:child_process'
import { lchown, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ObservatoryError } from '../errors.ts'

/** How to run PostgreSQL, which refuses to be root. `prefix` goes before the command; `uid` and `gid` own its files. */
export interface PostgresAccount {
  readonly prefix: readonly string[]
  readonly uid?: number
  readonly gid?: number
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const UNSHARE = '/usr/bin/unshare'
/** The account that root is shown as, when there is one: PostgreSQL wants a name for its uid. */
const PREFERRED_UID = 1000

/**
 * The account for PostgreSQL: our own, unless that is root. Root runs it in a user namespace where it has another uid: no
 * account to make, no folder out of reach. Where that is refused, as another account of the machine.
 *
 * @throws ObservatoryError ERR_SERVER_UNSUITABLE when root has neither.
 */
export async function findPostgresAccount(): Promise<PostgresAccount> {
  if (process.getuid?.() !== 0) return { prefix: [] }
  const entries = await passwdEntries()
  return (await namespacedAccount(entries)) ?? otherAccount(entries)
}

/** The account `postgres` or `nobody` of this machine, for files that it then owns. */
export async function findOtherAccount(): Promise<PostgresAccount> {
  return otherAccount(await passwdEntries())
}

/** Gives `path` and all below it to the account, where it belongs to another; only root can need that. */
export async function giveTo(account: PostgresAccount, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const [uid, gid] = [account.uid ?? 0, account.gid ?? 0]
  if ((await stat(path)).uid === uid) return
  const below = await readdir(path, { recursive: true }).catch(() => [])
  // The folder itself last: while it has the old owner, an interrupted change is taken up again.
  for (const name of below) await lchown(join(path, name), uid, gid)
  await lchown(path, uid, gid)
}

async function namespacedAccount(entries: readonly PasswdEntry[]): Promise<PostgresAccount | undefined> {
  const shownAs = entries.find((entry) => entry.uid === PREFERRED_UID) ?? entries[0]
  if (shownAs === undefined) return undefined
  const prefix = [UNSHARE, '--user', `--map-user=${shownAs.uid}`, `--map-group=${shownAs.uid}`]
  const [program = UNSHARE, ...args] = [...prefix, '/bin/sh', '-c', ':']
  try {
    await promisify(execFile)(program, args, { timeout: 5000 })
    return { prefix }
  } catch {
    return undefined
  }
}

function otherAccount(entries: readonly PasswdEntry[]): PostgresAccount {
  const account = ['postgres', '_postgres', 'nobody']
    .map((name) => entries.find((entry) => entry.name === name))
    .find((entry) => entry !== undefined)
  if (account !== undefined) return { prefix: [], uid: account.uid, gid: account.gid }
  throw new ObservatoryError(
    'ERR_SERVER_UNSUITABLE',
    'PostgreSQL refuses to run as root, user namespaces (unshare) are refused here, and there is no account named ' +
      'postgres or nobody. Run this as an ordinary user, or set DATABASE_URL to a PostgreSQL that runs',
  )
}

/** The accounts of /etc/passwd other than root. */
async function passwdEntries(): Promise<PasswdEntry[]> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n')
  return lines
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => uid > 0 && Number.isInteger(uid) && Number.isInteger(gid))
}
