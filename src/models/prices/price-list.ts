import type { NamePattern } from '../name-pattern.ts'
import { type CallTokens, costOfCall, type TokenRates } from './call-cost.ts'

/** What calls of some models cost. */
export interface ModelPrices {
  /** Patterns of names in lower case. */
  readonly models: readonly NamePattern[]
  /** A pattern; undefined for any provider. */
  readonly provider: NamePattern | undefined
  /** Newest first. */
  readonly prices: readonly Price[]
}

export interface Price {
  /** Unix milliseconds; -Infinity for ever. */
  readonly from: number
  readonly rates: TokenRates
  /** Of calls with more input tokens than so many. */
  readonly above: { readonly inputTokens: number; readonly rates: TokenRates } | undefined
}

/** A call of a model, by the names that it goes by. */
export interface ModelNames {
  readonly provider: string | undefined
  readonly requestModel: string | undefined
  readonly responseModel: string | undefined
}

/** Combinations of names whose prices are remembered. A program has a handful; past so many, all are looked up again. */
const MAX_KNOWN = 10_000

/**
 * Prices of models. Of the entries that match a model the first counts: a list of somebody's own comes before the one of the product.
 *
 * The model that answered counts, and where no entry knows it the one that was asked: a request may name an alias or a deployment.
 */
export class PriceList {
  readonly #entries: readonly ModelPrices[]
  readonly #known = new Map<string, ModelPrices | null>()
  #unpriced = 0

  constructor(entries: readonly ModelPrices[]) {
    this.#entries = entries
  }

  /** Calls that were asked about and whose cost is not known. */
  get unpriced(): number {
    return this.#unpriced
  }

  /**
   * @param startMs when the call began, in unix milliseconds: the price of then counts.
   * @returns its cost in picodollars, see {@link costOfCall}; undefined where no price of its model is known.
   */
  costOf(names: ModelNames, tokens: CallTokens, startMs: number): number | bigint | undefined {
    const price = this.#find(names)?.prices.find(({ from }) => from <= startMs)
    const cost = price && costOfCall(ratesFor(price, tokens), tokens)
    if (cost === undefined) this.#unpriced += 1
    return cost
  }

  #find(names: ModelNames): ModelPrices | undefined {
    const key = `${names.provider ?? ''}\n${names.responseModel ?? ''}\n${names.requestModel ?? ''}`
    let known = this.#known.get(key)
    if (known === undefined) {
      known = this.#lookUp(names) ?? null
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.set(key, known)
    }
    return known ?? undefined
  }

  #lookUp({ provider = '', responseModel, requestModel }: ModelNames): ModelPrices | undefined {
    const sold = provider.toLowerCase()
    for (const model of [responseModel, requestModel]) {
      if (model === undefined) continue
      const name = bareName(model)
      const found = this.#entries.find(
        (entry) =>
          (entry.provider === undefined || entry.provider.matches(sold)) &&
          entry.models.some((pattern) => pattern.matches(name)),
      )
      if (found !== undefined) return found
    }
    return undefined
  }
}

function ratesFor({ rates, above }: Price, { input }: CallTokens): TokenRates {
  return above !== undefined && Number(input ?? 0) > above.inputTokens ? above.rates : rates
}

/** Without what gateways put before it: `openai/gpt-4o`, `models/gemini-2.5-pro`. */
function bareName(model: string): string {
  return model.slice(model.lastIndexOf('/') + 1).toLowerCase()
}

/** Knows no price. */
export const NO_PRICES = new PriceList([])
