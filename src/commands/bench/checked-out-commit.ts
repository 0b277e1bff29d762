import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { PACKAGE_FOLDER } from '../../package-folder.ts'

/** The commit of this program, with `+changes` when files differ from it; null where it is no checkout. */
export async function checkedOutCommit(): Promise<string | null> {
  const git = (...args: string[]) => promisify(execFile)('git', ['-C', PACKAGE_FOLDER, ...args])
  try {
    const [{ stdout: commit }, { stdout: changes }] = await Promise.all([
      git('rev-parse', 'HEAD'),
      git('status', '--porcelain', '--untracked-files=no'),
    ])
    return `${commit.trim()}${changes === '' ? '' : '+changes'}`
  } catch {
    return null
  }
}
