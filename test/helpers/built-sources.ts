import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vitest/config'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Imports of `src` are those of the build instead, which Node.js loads by itself: hundreds of modules that every test file would else have transformed
 * and evaluated one by one, seconds for each. What was changed since the build is built first.
 */
export function builtSources(): Plugin {
  execFileSync(process.execPath, [`${ROOT}scripts/setup.mjs`], { stdio: 'inherit' })
  return {
    name: 'built-sources',
    enforce: 'pre',
    resolveId(source, importer) {
      const path = importer === undefined ? undefined : fileURLToPath(new URL(source, `file://${importer}`))
      if (path === undefined || !source.startsWith('.') || !path.startsWith(`${ROOT}src/`)) return null
      const built = path.replace(`${ROOT}src/`, `${ROOT}dist/`).replace(/\.ts$/, '.js')
      return existsSync(built) ? { id: built, external: true } : null
    },
  }
}
