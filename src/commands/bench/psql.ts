import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { messageOf, ObservatoryError } from '../../errors.ts'

const run = promisify(execFile)

/** psql on one database. */
export class Psql {
  /** As it says of itself: `psql (PostgreSQL) 15.18`. */
  readonly version: string
  readonly #url: string
  readonly #env: NodeJS.ProcessEnv
  readonly #stopping: AbortSignal

  private constructor(version: string, databaseUrl: string, stopping: AbortSignal) {
    const url = new URL(databaseUrl)
    // Others can read the arguments of a process, not its environment.
    const password = decodeURIComponent(url.password)
    url.password = ''
    this.version = version
    this.#url = url.href
    this.#env = { ...process.env, ...(password !== '' && { PGPASSWORD: password }), LC_ALL: 'C' }
    this.#stopping = stopping
  }

  /** Undefined where no psql is on the PATH. */
  static async find(databaseUrl: string, stopping: AbortSignal): Promise<Psql | undefined> {
    const version = await run('psql', ['--version']).then(
      ({ stdout }) => stdout.trim(),
      () => undefined,
    )
    return version === undefined ? undefined : new Psql(version, databaseUrl, stopping)
  }

  /**
   * Runs commands one after the other on one connection.
   *
   * @returns the seconds that psql itself says they took.
   * @throws ObservatoryError ERR_SERVER_UNSUITABLE when one fails.
   */
  async timed(commands: readonly string[]): Promise<number> {
    const args = ['\\timing on', ...commands].flatMap((command) => ['--command', command])
    const options = ['--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', ...args, this.#url]
    try {
      const { stdout } = await run('psql', options, { env: this.#env, signal: this.#stopping })
      const times = [...stdout.matchAll(/^Time: ([\d.]+) ms/gm)].map(([, ms]) => Number(ms))
      if (times.length !== commands.length)
        throw new Error(`psql told the time of ${times.length} commands: ${stdout}`)
      return times.reduce((sum, ms) => sum + ms, 0) / 1000
    } catch (cause) {
      this.#stopping.throwIfAborted()
      throw new ObservatoryError('ERR_SERVER_UNSUITABLE', `psql failed: ${messageOf(cause)}`, { cause })
    }
  }
}
