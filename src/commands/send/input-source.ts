import { createReadStream, createWriteStream } from 'node:fs'
import { access, constants, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { codeOf, messageOf, ObservatoryError } from '../../errors.ts'

/** What is sent: a file, or a stream that can be read once. */
export interface InputSource {
  /** Bytes in all; undefined when that is not known before the end. */
  readonly size: number | undefined
  /** Reads it from the start. More than once only if that was asked for. */
  read(): AsyncIterable<Buffer>
  /** Deletes what was put aside. */
  dispose(): Promise<void>
}

export interface InputSourceOptions {
  /** Undefined for `stdin`. */
  readonly path: string | undefined
  readonly stdin: Readable
  /** Whether it is read twice. What can be read only once (a pipe) is then put into a temporary file first. */
  readonly isReadTwice: boolean
  readonly signal: AbortSignal
}

/** Before anything is started for it. @throws ObservatoryError ERR_USAGE for a path that cannot be read. */
export async function assertReadable(path: string): Promise<void> {
  await sizeOfFile(path)
}

/** @throws ObservatoryError ERR_USAGE for a path that cannot be read. */
export async function openSource(options: InputSourceOptions): Promise<InputSource> {
  const { path, stdin, isReadTwice, signal } = options
  const size = path === undefined ? undefined : await sizeOfFile(path)
  const open = (): Readable => addAbortSignal(signal, path === undefined ? stdin : createReadStream(path))
  if (!isReadTwice || size !== undefined) return { size, read: open, dispose: async () => undefined }
  return putAside(open(), signal)
}

/** Undefined for what is no regular file: a pipe has no size, and no second reading. */
async function sizeOfFile(path: string): Promise<number | undefined> {
  try {
    const stats = await stat(path)
    if (stats.isDirectory()) throw new Error('it is a folder')
    await access(path, constants.R_OK)
    return stats.isFile() ? stats.size : undefined
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error)
    throw new ObservatoryError('ERR_USAGE', `cannot read ${path}: ${why}`, { cause: error })
  }
}

async function putAside(input: Readable, signal: AbortSignal): Promise<InputSource> {
  const folder = await mkdtemp(join(tmpdir(), 'observatory-send-'))
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true })
  const copy = join(folder, 'input')
  try {
    await pipeline(input, createWriteStream(copy, { mode: 0o600 }), { signal })
    const { size } = await stat(copy)
    return { size, read: () => addAbortSignal(signal, createReadStream(copy)), dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}
