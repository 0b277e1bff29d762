import { randomUUID } from 'node:crypto'
import { open, readFile, rename, stat } from 'node:fs/promises'
import type { ProcessIdentity } from '../process-identity.ts'

/** A server that runs, and the port of 127.0.0.1 it answers on. */
export interface RunningServer extends ProcessIdentity {
  readonly port: number
}

/** Somebody who needs the servers; one process can be several. */
export interface ServerUser extends ProcessIdentity {
  readonly id: string
}

/** `<dataDir>/servers.json`: who uses the embedded servers, and where they are for whoever wants to know. */
export interface ServersFile {
  readonly postgres?: RunningServer | undefined
  readonly redis?: RunningServer | undefined
  readonly users: readonly ServerUser[]
}

const MAX_BYTES = 256 * 1024
const MAX_USERS = 1000
const MAX_TEXT = 200
const UNPRIVILEGED_PORT = 1024

/** Reads the file. Whatever is missing, broken or out of range in it is as if it were not there. */
export async function readServersFile(path: string): Promise<ServersFile> {
  const content = await parse(path)
  const users = Array.isArray(content.users) ? content.users.slice(0, MAX_USERS).filter(isUser) : []
  return {
    postgres: isServer(content.postgres) ? content.postgres : undefined,
    redis: isServer(content.redis) ? content.redis : undefined,
    users,
  }
}

/** Replaces the file in one step: a reader or a crash sees the old or the new one, never half of it. */
export async function writeServersFile(path: string, content: ServersFile): Promise<void> {
  await replaceFile(path, `${JSON.stringify(content, null, 2)}\n`)
}

/** Writes a file that only its owner can read (mode 0600), durably and in one step. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

async function parse(path: string): Promise<Record<string, unknown>> {
  try {
    if ((await stat(path)).size > MAX_BYTES) return {}
    const content: unknown = JSON.parse(await readFile(path, 'utf8'))
    return isObject(content) ? content : {}
  } catch {
    return {}
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isProcess(value: unknown): value is Record<string, unknown> & ProcessIdentity {
  return isObject(value) && isBetween(value.pid, 1, 2 ** 31) && isText(value.start)
}

function isServer(value: unknown): value is RunningServer {
  return isProcess(value) && isBetween(value.port, UNPRIVILEGED_PORT, 65_535)
}

function isUser(value: unknown): value is ServerUser {
  return isProcess(value) && isText(value.id)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT
}

function isBetween(value: unknown, low: number, high: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high
}
