import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { messageOf, ObservatoryError } from './errors.ts'
import { parsePrices } from './models/prices/parse-prices.ts'
import { type ModelPrices, PriceList } from './models/prices/price-list.ts'

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
  let list: unknown
  try {
    list = parse(readFileSync(path, 'utf8'), { schema: 'failsafe' })
  } catch (error) {
    throw new ObservatoryError(
      'ERR_CONFIG_INVALID',
      `The price list ${path} cannot be read: ${messageOf(error)}`,
      {
        cause: error,
      },
    )
  }
  const { entries, problems } = parsePrices(list)
  if (problems === undefined) return entries
  throw new ObservatoryError(
    'ERR_CONFIG_INVALID',
    `The price list ${path} is wrong:\n${problems.map((line) => `  ${line}`).join('\n')}`,
  )
}
