import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf } from '../../errors.ts'
import type { ArchiveStorage } from './archive-storage.ts'

/** Of a file that is being written. One that was left by a process that is gone is no file of an archive. */
const UNFINISHED = '.unfinished'

/** Files in a folder: each is written under another name, made durable, and then renamed. */
export class FolderStorage implements ArchiveStorage {
  readonly place: string

  constructor(folder: string) {
    this.place = folder
  }

  async write(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
    const file = join(this.place, path)
    const unfinished = `${file}-${randomBytes(4).toString('hex')}${UNFINISHED}`
    await mkdir(dirname(file), { recursive: true })
    const handle = await open(unfinished, 'wx')
    try {
      for await (const chunk of chunks) await handle.appendFile(chunk)
      await handle.sync()
      await handle.close()
      await rename(unfinished, file)
      await syncFolder(dirname(file))
    } catch (error) {
      await handle.close().catch(() => undefined)
      await rm(unfinished, { force: true }).catch(() => undefined)
      throw error
    }
  }

  async size(path: string): Promise<number | undefined> {
    try {
      return (await stat(join(this.place, path))).size
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async read(path: string, start: number, end: number): Promise<Buffer> {
    const handle = await open(join(this.place, path))
    try {
      const bytes = Buffer.alloc(end - start)
      let at = 0
      while (at < bytes.length) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at)
        if (bytesRead === 0) throw new RangeError(`${path} ends before byte ${end}`)
        at += bytesRead
      }
      return bytes
    } finally {
      await handle.close()
    }
  }

  stream(path: string): AsyncIterable<Buffer> {
    return createReadStream(join(this.place, path), { highWaterMark: 256 * 1024 })
  }

  async list(folder: string, { unfinished = false } = {}): Promise<readonly string[]> {
    try {
      const entries = await readdir(join(this.place, folder), { recursive: true, withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile() && (unfinished || !entry.name.endsWith(UNFINISHED)))
        .map((entry) =>
          join(entry.parentPath, entry.name)
            .slice(this.place.length)
            .replaceAll('\\', '/')
            .replace(/^\//, ''),
        )
        .sort()
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  /** A folder that is empty then goes, too. */
  async remove(path: string): Promise<void> {
    const file = join(this.place, path)
    await rm(file, { force: true })
    await syncFolder(dirname(file))
    await rmdir(dirname(file)).catch(() => undefined)
  }
}

/** So that the name is durable, too. Not every system can. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
