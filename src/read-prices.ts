import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parsePrices } from './models/prices/parse-prices.ts'
import { type ModelPrices, PriceList } from './models/prices/price-list.ts'
import { PACKAGE_FOLDER } from './package-folder.ts'
import { readYamlFile } from './read-yaml-file.ts'

/** prices.yaml as the build has parsed it. */
const SHIPPED = join(PACKAGE_FOLDER, 'dist', 'prices.json')

/**
 * The price list of the product, after the entries of a file of one's own, which count first. What such a file looks like is said at the top of
 * prices.yaml.
 * @throws ObservatoryError ERR_CONFIG_INVALID, one line per problem, when a file cannot be read or is none.
 */
export function readPrices(file?: string): PriceList {
  const own = file === undefined ? [] : readEntries(file)
  return new PriceList([...own, ...readShipped()])
}

function readShipped(): readonly ModelPrices[] {
  const { entries, problems } = parsePrices(readBuilt())
  if (problems !== undefined) throw new Error(`prices.yaml is wrong:\n${problems.join('\n')}`)
  return entries
}

function readBuilt(): unknown {
  try {
    return JSON.parse(readFileSync(SHIPPED, 'utf8'))
  } catch (error) {
    throw new Error(`${SHIPPED} cannot be read: run npm run build`, { cause: error })
  }
}

function readEntries(path: string): readonly ModelPrices[] {
  // Every scalar as text: no digit of a price is lost.
  return readYamlFile(path, 'The price list', { schema: 'failsafe', check: parsePrices }).entries
}
