import { isPlainObject } from '../decode-fields.ts'
import { NamePattern } from '../name-pattern.ts'
import type { TokenRates } from './call-cost.ts'
import type { ModelPrices, Price } from './price-list.ts'

/** The entries of a price list, or every problem of it, each with its place. */
export type ParsedPrices =
  | { readonly entries: readonly ModelPrices[]; readonly problems?: undefined }
  | { readonly entries?: undefined; readonly problems: readonly string[] }

/** Dollars per million tokens: six decimals are whole picodollars a token. */
const PRICE = /^(\d{1,7})(?:\.(\d{1,6}))?$/
const DECIMALS = 6
const DATE = /^\d{4}-\d{2}-\d{2}$/
const COUNT = /^\d{1,12}$/

const ENTRY_NAMES = ['models', 'provider', 'source', 'noted', 'prices']
const RATE_NAMES = ['input', 'output', 'cached_input', 'cache_creation', 'reasoning']
const PRICE_NAMES = ['from', ...RATE_NAMES, 'above']
const ABOVE_NAMES = ['input_tokens', ...RATE_NAMES]

/**
 * Reads a price list, whose every scalar is text (YAML's failsafe schema), so that no digit of a price is lost. What it looks like is said at the
 * top of prices.yaml.
 */
export function parsePrices(list: unknown): ParsedPrices {
  const problems: string[] = []
  const entries = new PricesReader(problems).read(list)
  return problems.length === 0 ? { entries } : { problems }
}

/** Goes on past a problem, so that one look tells of all. */
class PricesReader {
  readonly #problems: string[]

  constructor(problems: string[]) {
    this.#problems = problems
  }

  read(list: unknown): ModelPrices[] {
    const fields = this.#object('the file', list, ['models'])
    return this.#list('models', fields.models).map((entry, index) => this.#entry(`models[${index}]`, entry))
  }

  #entry(path: string, value: unknown): ModelPrices {
    const fields = this.#object(path, value, ENTRY_NAMES)
    const prices = this.#list(`${path}.prices`, fields.prices).map((price, index) =>
      this.#price(`${path}.prices[${index}]`, price),
    )
    const oldestFirst = prices.every(
      ({ from }, index) => index === 0 || from > (prices[index - 1]?.from ?? 0),
    )
    if (!oldestFirst) this.#problem(`${path}.prices`, 'must be in order of `from`, the oldest first')
    for (const name of ['source', 'noted']) {
      if (fields[name] !== undefined) this.#text(`${path}.${name}`, fields[name])
    }
    return {
      models: this.#list(`${path}.models`, fields.models).map((model, index) =>
        this.#pattern(`${path}.models[${index}]`, model),
      ),
      provider:
        fields.provider === undefined ? undefined : this.#pattern(`${path}.provider`, fields.provider),
      prices: prices.reverse(),
    }
  }

  #price(path: string, value: unknown): Price {
    const fields = this.#object(path, value, PRICE_NAMES)
    const from =
      fields.from === undefined ? Number.NEGATIVE_INFINITY : this.#date(`${path}.from`, fields.from)
    return { from, rates: this.#rates(path, fields), above: this.#above(`${path}.above`, fields.above) }
  }

  #above(path: string, value: unknown): Price['above'] {
    if (value === undefined) return undefined
    const fields = this.#object(path, value, ABOVE_NAMES)
    const count = fields.input_tokens
    if (typeof count !== 'string' || !COUNT.test(count))
      this.#problem(`${path}.input_tokens`, 'must be a whole number of tokens')
    return { inputTokens: Number(count), rates: this.#rates(path, fields) }
  }

  /** What has no price of its own costs what it is a part of. */
  #rates(path: string, fields: Readonly<Record<string, unknown>>): TokenRates {
    const rate = (name: string) => this.#rate(`${path}.${name}`, fields[name])
    if (fields.input === undefined) this.#problem(`${path}.input`, 'is missing')
    const input = rate('input') ?? 0
    const output = rate('output')
    return {
      input,
      output,
      cachedInput: rate('cached_input') ?? input,
      cacheCreation: rate('cache_creation') ?? input,
      reasoning: rate('reasoning') ?? output,
    }
  }

  #rate(path: string, value: unknown): number | undefined {
    if (value === undefined) return undefined
    const match = typeof value === 'string' ? PRICE.exec(value) : null
    if (match === null) {
      this.#problem(path, 'must be US dollars per million tokens, as 2.50, with at most six decimals')
      return undefined
    }
    return Number(`${match[1]}${(match[2] ?? '').padEnd(DECIMALS, '0')}`)
  }

  #date(path: string, value: unknown): number {
    const ms = typeof value === 'string' && DATE.test(value) ? Date.parse(value) : Number.NaN
    if (Number.isNaN(ms))
      this.#problem(path, 'must be a day, as 2026-01-31, from which on (in UTC) it is the price')
    return ms
  }

  #pattern(path: string, value: unknown): NamePattern {
    return new NamePattern(this.#text(path, value).toLowerCase())
  }

  #text(path: string, value: unknown): string {
    if (typeof value === 'string' && value !== '') return value
    this.#problem(path, 'must be text')
    return ''
  }

  #list(path: string, value: unknown): unknown[] {
    if (Array.isArray(value) && value.length > 0) return value
    this.#problem(path, 'must be a list that is not empty')
    return []
  }

  #object(path: string, value: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
    if (!isPlainObject(value)) {
      this.#problem(path, `must have the fields ${names.join(', ')}`)
      return {}
    }
    for (const name of Object.keys(value)) {
      if (!names.includes(name))
        this.#problem(`${path}.${name}`, `is not known; expected ${names.join(', ')}`)
    }
    return value
  }

  #problem(path: string, what: string): void {
    this.#problems.push(`${path} ${what}`)
  }
}
