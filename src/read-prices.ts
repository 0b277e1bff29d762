import { fileURLToPath } from 'node:url'
import { parsePrices } from './models/prices/parse-prices.ts'
import { type ModelPrices, PriceList } from './models/prices/price-list.ts'
import { readYamlFile } from './read-yaml-file.ts'

const SHIPPED = fileURLToPath(new URL('../prices.yaml', import.meta.url))

/**
 * The price list of the product, after the entries of a file of one's own, which count first. What such a file looks like is said at the top of
 * prices.yaml.
 * @throws ObservatoryError ERR_CONFIG_INVALID, one line per problem, when a file cannot be read or is none.
 */
export function readPrices(file?: string): PriceList {
  const own = file === undefined ? [] : readEntries(file)
  return new PriceList([...own, ...readEntries(SHIPPED)])
}

function readEntries(path: string): readonly ModelPrices[] {
  // Every scalar as text: no digit of a price is lost.
  return readYamlFile(path, 'The price list', { schema: 'failsafe', check: parsePrices }).entries
}
