/*
 * Part of `npm run build`: puts what is no TypeScript beside what was compiled: the files of the page, and the price list, as JSON, for parsing YAML would take a
 * fifth of a second of each start.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const FROM = join(ROOT, 'src', 'page')
const TO = join(ROOT, 'dist', 'page', 'page')

mkdirSync(TO, { recursive: true })
for (const name of readdirSync(FROM)) {
  if (/\.(html|css)$/.test(name)) copyFileSync(join(FROM, name), join(TO, name))
}

// Every scalar as text: no digit of a price is lost.
const prices = parse(readFileSync(join(ROOT, 'prices.yaml'), 'utf8'), { schema: 'failsafe' })
writeFileSync(join(ROOT, 'dist', 'prices.json'), JSON.stringify(prices))
