import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type CallTokens,
  costOfCall,
  dollarsOf,
  picodollarsOf,
  type TokenRates,
} from '../../../../src/models/prices/call-cost.ts'

/** 2.50, 10, 1.25, 3.125 and 15 dollars per million tokens. */
const RATES: TokenRates = {
  input: 2_500_000,
  output: 10_000_000,
  cachedInput: 1_250_000,
  cacheCreation: 3_125_000,
  reasoning: 15_000_000,
}

const NONE = { cached: undefined, cacheCreation: undefined, reasoning: undefined }

function dollars(tokens: Partial<CallTokens>, rates = RATES): string | undefined {
  const cost = costOfCall(rates, { ...NONE, input: undefined, output: undefined, ...tokens })
  return cost === undefined ? undefined : dollarsOf(cost)
}

describe('the cost of a call', () => {
  test('is that of its input and its output', () => {
    expect(dollars({ input: 1200, output: 85 })).toBe('0.00385')
  })

  test('counts cached, cache-creation and reasoning tokens once, at their own price', () => {
    expect(dollars({ input: 1000, cached: 600, cacheCreation: 100 })).toBe(
      dollarsOf(300 * 2_500_000 + 600 * 1_250_000 + 100 * 3_125_000),
    )
    expect(dollars({ output: 100, reasoning: 40 })).toBe(dollarsOf(60 * 10_000_000 + 40 * 15_000_000))
  })

  test('is not negative where more was cached than came in', () => {
    expect(dollars({ input: 10, cached: 100 })).toBe('0.000125')
  })

  test('is unknown where there is output and no price for it', () => {
    const rates = { ...RATES, output: undefined, reasoning: undefined }
    expect(dollars({ input: 10, output: 1 }, rates)).toBeUndefined()
    expect(dollars({ input: 10, output: 0 }, rates)).toBe('0.000025')
  })

  test('is exact, whatever the number of tokens', () => {
    const count = fc.oneof(
      fc.nat({ max: 1_000_000 }),
      fc.maxSafeNat(),
      fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    )
    const rate = fc.nat({ max: 10 ** 12 })
    const rates = fc.record({
      input: rate,
      output: rate,
      cachedInput: rate,
      cacheCreation: rate,
      reasoning: rate,
    })
    const tokens = fc.record({
      input: count,
      output: count,
      cached: count,
      cacheCreation: count,
      reasoning: count,
    })
    fc.assert(
      fc.property(rates, tokens, (prices, call) => {
        const big = (value: number | bigint | undefined) => BigInt(value ?? 0)
        const above = (a: bigint, b: bigint) => (a > b ? a - b : 0n)
        const exact =
          above(big(call.input), big(call.cached) + big(call.cacheCreation)) * big(prices.input) +
          big(call.cached) * big(prices.cachedInput) +
          big(call.cacheCreation) * big(prices.cacheCreation) +
          above(big(call.output), big(call.reasoning)) * big(prices.output) +
          big(call.reasoning) * big(prices.reasoning)
        expect(big(costOfCall(prices, call))).toBe(exact)
      }),
      { numRuns: 2000 },
    )
  })
})

test.each([
  [0, '0'],
  [1, '0.000000000001'],
  [12_500_000_000_000n, '12.5'],
  [3_000_000_000_000, '3'],
  [10n ** 30n, '1000000000000000000'],
])('%s picodollars are %s dollars, and back', (picodollars, text) => {
  expect(dollarsOf(picodollars)).toBe(text)
  expect(picodollarsOf(text)).toBe(BigInt(picodollars))
})
