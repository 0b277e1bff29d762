/** What one token costs, in picodollars (10^-12 dollars): a price of a dollar per million tokens is a million. */
export interface TokenRates {
  readonly input: number
  /** Undefined where the model has no output: an embedding. */
  readonly output: number | undefined
  readonly cachedInput: number
  readonly cacheCreation: number
  readonly reasoning: number | undefined
}

/** As the columns have them: input tokens include those of the cache, output tokens those of reasoning. */
export interface CallTokens {
  readonly input: number | bigint | undefined
  readonly output: number | bigint | undefined
  readonly cached: number | bigint | undefined
  readonly cacheCreation: number | bigint | undefined
  readonly reasoning: number | bigint | undefined
}

/**
 * The exact cost of a call in picodollars; a bigint only past 2^53 (9,007 dollars). Undefined where it has output tokens and the model no price for them.
 */
export function costOfCall(rates: TokenRates, tokens: CallTokens): number | bigint | undefined {
  const cached = Number(tokens.cached ?? 0)
  const created = Number(tokens.cacheCreation ?? 0)
  const reasoning = Number(tokens.reasoning ?? 0)
  const input = Math.max(0, Number(tokens.input ?? 0) - cached - created)
  const output = Math.max(0, Number(tokens.output ?? 0) - reasoning)
  if ((output > 0 && rates.output === undefined) || (reasoning > 0 && rates.reasoning === undefined))
    return undefined
  const cost =
    input * rates.input +
    cached * rates.cachedInput +
    created * rates.cacheCreation +
    output * (rates.output ?? 0) +
    reasoning * (rates.reasoning ?? 0)
  // None is negative, so a sum that is exact had exact parts.
  return Number.isSafeInteger(cost) ? cost : exactCost(rates, tokens)
}

function exactCost(rates: TokenRates, tokens: CallTokens): bigint {
  const cached = BigInt(tokens.cached ?? 0)
  const created = BigInt(tokens.cacheCreation ?? 0)
  const reasoning = BigInt(tokens.reasoning ?? 0)
  const input = BigInt(tokens.input ?? 0) - cached - created
  const output = BigInt(tokens.output ?? 0) - reasoning
  return (
    (input > 0n ? input : 0n) * BigInt(rates.input) +
    cached * BigInt(rates.cachedInput) +
    created * BigInt(rates.cacheCreation) +
    (output > 0n ? output : 0n) * BigInt(rates.output ?? 0) +
    reasoning * BigInt(rates.reasoning ?? 0)
  )
}

const PICO_DIGITS = 12

/** Picodollars as dollars, in plain decimal text without trailing zeros. */
export function dollarsOf(picodollars: number | bigint): string {
  const digits = String(picodollars).padStart(PICO_DIGITS + 1, '0')
  const fraction = digits.slice(-PICO_DIGITS).replace(/0+$/, '')
  const whole = digits.slice(0, -PICO_DIGITS)
  return fraction === '' ? whole : `${whole}.${fraction}`
}

/** Dollars in plain decimal text as picodollars; what is smaller is left out. */
export function picodollarsOf(dollars: string): bigint {
  const [whole = '0', fraction = ''] = dollars.split('.')
  return BigInt(`${whole}${fraction.slice(0, PICO_DIGITS).padEnd(PICO_DIGITS, '0')}`)
}
