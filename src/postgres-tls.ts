import { readFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import pg from 'pg'
import { messageOf, ObservatoryError } from './errors.ts'

/** Where a connection URL leads, as pg reads it: PGHOST, PGUSER and its other defaults included. */
export interface DatabaseAddress {
  /** A folder for a unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  /** What follows the question mark. */
  readonly parameters: URLSearchParams
}

/** Takes a `postgresql://` URL apart. The TLS parameters are left to {@link readPostgresTls}. */
export function parseDatabaseUrl(databaseUrl: string): DatabaseAddress {
  const mark = databaseUrl.indexOf('?')
  const parameters = new URLSearchParams(mark === -1 ? '' : databaseUrl.slice(mark + 1))
  // pg warns about, and reads the files of, the parameters it takes for TLS ones.
  const rest = new URLSearchParams([...parameters].filter(([name]) => !name.startsWith('ssl')))
  const connectionString = `${mark === -1 ? databaseUrl : databaseUrl.slice(0, mark)}?${rest}`
  const { host, port, user, password, database } = new pg.Client({ connectionString, ssl: false })
  return { host, port, user, password: password || undefined, database, parameters }
}

/** What a connection URL asks for, in the words of `node:tls`. */
export interface PostgresTls {
  readonly ssl: false | ConnectionOptions
  /** Whether a server that offers no TLS is used without it (`sslmode=prefer`). */
  readonly optional: boolean
}

const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
type SslMode = (typeof SSL_MODES)[number]

/**
 * Reads `sslmode`, `sslrootcert`, `sslcert` and `sslkey` of a connection URL with the meaning they have in
 * libpq (PostgreSQL documentation, 34.19 "SSL Support"). pg 8 by itself takes `prefer`, `require` and
 * `verify-ca` for `verify-full`. Differences that remain: without `sslmode`, the local machine is spoken to
 * in plain text, any other as with `prefer`; without `sslrootcert` (or with `system`), `verify-full` trusts
 * the authorities Node.js trusts.
 * @throws ObservatoryError ERR_CONFIG_INVALID for an unknown mode or a file that cannot be read.
 */
export function readPostgresTls(databaseUrl: string): PostgresTls {
  const { host, parameters } = parseDatabaseUrl(databaseUrl)
  const rootCertificate = parameters.get('sslrootcert') ?? undefined
  const mode = checkMode(parameters.get('sslmode')) ?? defaultMode(host, rootCertificate)
  if (mode === 'disable' || host.startsWith('/')) return { ssl: false, optional: false }
  const certificate = parameters.get('sslcert')
  const key = parameters.get('sslkey')
  const identity = {
    ...(certificate ? { cert: readPem('sslcert', certificate) } : {}),
    ...(key ? { key: readPem('sslkey', key) } : {}),
  }
  return { ssl: { ...identity, ...verification(mode, rootCertificate) }, optional: mode === 'prefer' }
}

function verification(
  mode: Exclude<SslMode, 'disable'>,
  rootCertificate: string | undefined,
): ConnectionOptions {
  const system = rootCertificate === undefined || rootCertificate === 'system'
  if (rootCertificate === 'system' && mode !== 'verify-full') {
    throw invalid(`sslrootcert=system needs sslmode=verify-full, not ${mode}`)
  }
  if (mode === 'verify-full') return system ? {} : { ca: readPem('sslrootcert', rootCertificate) }
  if (system) {
    if (mode !== 'verify-ca') return { rejectUnauthorized: false }
    throw invalid(
      'sslmode=verify-ca needs sslrootcert: a public authority vouches for names, not for a server',
    )
  }
  // A root certificate makes `require` mean verify-ca, for compatibility with PostgreSQL before 8.4, and
  // is not looked at by `prefer`.
  if (mode === 'prefer') return { rejectUnauthorized: false }
  return { ca: readPem('sslrootcert', rootCertificate), checkServerIdentity: () => undefined }
}

function checkMode(mode: string | null): SslMode | undefined {
  if (mode === null) return undefined
  const known = SSL_MODES.find((name) => name === mode)
  if (known === undefined)
    throw invalid(`sslmode=${mode} is not known; expected one of ${SSL_MODES.join(', ')}`)
  return known
}

function defaultMode(host: string, rootCertificate: string | undefined): SslMode {
  if (rootCertificate === 'system') return 'verify-full'
  return /^(\/|localhost$|127\.|::1$)/.test(host) ? 'disable' : 'prefer'
}

function readPem(parameter: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw invalid(`${parameter}=${path} cannot be read: ${messageOf(error)}`, error)
  }
}

function invalid(problem: string, cause?: unknown): ObservatoryError {
  return new ObservatoryError('ERR_CONFIG_INVALID', `DATABASE_URL: ${problem}`, { cause })
}

type ConnectCallback = (error: Error) => void

/**
 * A client for `sslmode=prefer`: it asks the server whether it offers TLS before connecting, because pg
 * gives up on a server that answers no. The price is one short connection per new connection.
 */
export class PreferTlsClient extends pg.Client {
  override connect(): Promise<pg.Client>
  override connect(callback: ConnectCallback): void
  override connect(callback?: ConnectCallback): Promise<pg.Client> | undefined {
    const connected = this.#offersTls().then((offered) => {
      if (!offered) {
        this.ssl = false
        Object.assign(this.connection, { ssl: false })
      }
    })
    if (callback === undefined) return connected.then(() => super.connect())
    connected.then(() => super.connect(callback), callback)
    return undefined
  }

  #offersTls(): Promise<boolean> {
    const socket = connectSocket({ host: this.host, port: this.port })
    return new Promise<boolean>((resolve, reject) => {
      socket.setTimeout(PROBE_TIMEOUT_MS, () => socket.destroy(new Error('timeout while asking for TLS')))
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('connection closed while asking for TLS')))
      socket.once('connect', () => socket.write(SSL_REQUEST))
      socket.once('data', (reply) => resolve(reply[0] === YES))
    }).finally(() => socket.destroy())
  }
}

const PROBE_TIMEOUT_MS = 5000
/** SSLRequest: length 8, code 80877103 (PostgreSQL documentation, 55.7 "Message Formats"). */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
/** `S`: willing. `N`: not. */
const YES = 0x53
