/* Part of `npm run build`: puts what of the page is no TypeScript beside what was compiled. */
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const FROM = join(ROOT, 'src', 'page')
const TO = join(ROOT, 'dist', 'page', 'page')

mkdirSync(TO, { recursive: true })
for (const name of readdirSync(FROM)) {
  if (/\.(html|css)$/.test(name)) copyFileSync(join(FROM, name), join(TO, name))
}
