import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { PACKAGE_FOLDER } from '../package-folder.ts'

/** A file of the page as it is served. */
export interface PageFile {
  readonly body: Buffer
  readonly contentType: string
  readonly etag: string
}

const FOLDER = join(PACKAGE_FOLDER, 'dist', 'page')
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

/** Reads what the build made for the browser, by path within its folder. @throws when there is none. */
export function readPageFiles(): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of listFolder()) {
    const contentType = CONTENT_TYPES[extname(name)]
    if (contentType === undefined) continue
    const body = readFileSync(join(FOLDER, name))
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
    files.set(name.replaceAll('\\', '/'), { body, contentType, etag })
  }
  return files
}

function listFolder(): readonly string[] {
  try {
    return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  } catch (error) {
    throw new Error(`${FOLDER} cannot be read: run npm run build`, { cause: error })
  }
}
