import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ObservatoryError } from '../errors.ts'

const NAMES = ['redis-server', 'valkey-server']
/** Where package managers put it when the PATH of a service or a desktop session lacks them. */
const FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/sbin']
/** XAUTOCLAIM came with Redis 6.2. */
const OLDEST = [6, 2] as const

/**
 * The absolute path of a `redis-server` or `valkey-server` of this machine that is new enough.
 *
 * @throws ObservatoryError ERR_SERVER_UNSUITABLE when there is none.
 */
export async function findRedisBinary(): Promise<string> {
  const candidates = [...NAMES, ...FOLDERS.flatMap((folder) => NAMES.map((name) => `${folder}/${name}`))]
  const found = await run('/bin/sh', ['-c', 'for name; do command -v "$name"; done', 'sh', ...candidates])
  const paths = [...new Set(found.split('\n').filter((path) => path.startsWith('/')))]
  for (const path of paths) {
    if (isNewEnough(await run(path, ['--version']))) return path
  }
  const what =
    paths.length === 0 ? 'No redis-server or valkey-server' : `No Redis 6.2 or newer (${paths.join(', ')})`
  throw new ObservatoryError(
    'ERR_SERVER_UNSUITABLE',
    `${what} on the PATH. Install one (node scripts/setup.mjs does, and so does npm run quickstart), or set REDIS_URL to a Redis that runs`,
  )
}

/** "Redis server v=7.0.15 sha=…" */
function isNewEnough(version: string): boolean {
  const [, major, minor] = /v=(\d+)\.(\d+)/.exec(version) ?? []
  const [oldestMajor, oldestMinor] = OLDEST
  return Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor)
}

/** What the program printed, whether or not it succeeded. */
async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { timeout: 10_000 }).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
  )
  return stdout
}
