import { execFile } from 'node:child_process'
import { chmod, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Campaign, SmallDisk } from './fault.ts'

const run = promisify(execFile)
const SIZE = '4g'
const RESIZES_TRIED = 20
const TABLESPACE = 'small_disk'

/** A tmpfs that the tables of the campaign live on. */
export interface MountedDisk extends SmallDisk {
  /** Makes it the place of every table that is created from now on. */
  useForTables(query: Campaign['query']): Promise<void>
  unmount(): Promise<void>
}

/** Mounts a tmpfs on `folder`, which is made; undefined where that is refused: it needs root, or a namespace that has it. */
export async function mountSmallDisk(folder: string): Promise<MountedDisk | undefined> {
  await mkdir(folder, { mode: 0o700 })
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE},mode=0700`, 'tmpfs', folder])
  } catch {
    return undefined
  }
  const resize = (size: string) => run('mount', ['-o', `remount,size=${size}`, folder])
  return {
    useForTables: async (query) => {
      const place = join(folder, 'tables')
      await mkdir(place)
      await chmod(place, 0o700)
      await query(`create tablespace ${TABLESPACE} location '${place}'`)
      const [row] = await query<{ name: string }>('select current_database() as name')
      await query(`alter database ${row?.name} set default_tablespace = ${TABLESPACE}`)
    },
    // A tmpfs cannot be made smaller than what it holds, which may have grown since it was asked.
    fill: async () => {
      for (let tried = 1; ; tried += 1) {
        const size = `${await usedKib(folder)}k`
        if (tried === RESIZES_TRIED) return void (await resize(size))
        if (
          await resize(size).then(
            () => true,
            () => false,
          )
        )
          return
      }
    },
    clear: async () => {
      await resize(SIZE)
    },
    unmount: async () => {
      if (await stat(folder).catch(() => undefined)) await run('umount', ['-l', folder])
    },
  }
}

async function usedKib(folder: string): Promise<number> {
  const { stdout } = await run('df', ['--output=used', '-k', folder])
  return Number(stdout.trim().split('\n').at(-1))
}
