/*
 * Part of `npm run build`: puts the command line and all that it loads into a few files. Looking for nine hundred modules and reading each took two thirds of the start of a command.
 */
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

const DIST = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist')
const BUNDLE = join(DIST, 'bundle')

rmSync(BUNDLE, { recursive: true, force: true })
await build({
  // What a thread runs is a file of its own, beside the others.
  input: {
    cli: join(DIST, 'cli.js'),
    'archive-thread': join(DIST, 'retention', 'archive', 'archive-thread.js'),
  },
  platform: 'node',
  // What pg looks for and does without.
  external: ['pg-native'],
  output: { dir: BUNDLE, format: 'esm' },
})
