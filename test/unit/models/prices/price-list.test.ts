import { describe, expect, test } from 'vitest'
import { dollarsOf } from '../../../../src/models/prices/call-cost.ts'
import { parsePrices } from '../../../../src/models/prices/parse-prices.ts'
import { type ModelNames, PriceList } from '../../../../src/models/prices/price-list.ts'

const JANUARY = Date.parse('2026-01-01')

function priceList(...models: object[]): PriceList {
  const { entries, problems } = parsePrices({ models })
  if (problems !== undefined) throw new Error(problems.join('\n'))
  return new PriceList(entries)
}

/** Of a million input tokens: the price of the entry that counts. */
function inputPrice(
  prices: PriceList,
  names: Partial<ModelNames>,
  { atMs = JANUARY, input = 1_000_000 } = {},
): string | undefined {
  const unnamed = { provider: undefined, requestModel: undefined, responseModel: undefined }
  const tokens = { input, output: 0, cached: 0, cacheCreation: 0, reasoning: 0 }
  const cost = prices.costOf({ ...unnamed, ...names }, tokens, atMs)
  return cost === undefined ? undefined : dollarsOf(cost)
}

const costs = (input: string, ...models: string[]) => ({ models, prices: [{ input, output: '0' }] })

describe('of several entries', () => {
  test('the first that matches counts', () => {
    const prices = priceList(costs('1', 'gpt-4o-mini*'), costs('2', 'gpt-4o*'))
    expect(inputPrice(prices, { requestModel: 'gpt-4o-mini-2024' })).toBe('1')
    expect(inputPrice(prices, { requestModel: 'gpt-4o' })).toBe('2')
  })

  test('that of the provider counts', () => {
    const prices = priceList({ ...costs('1', 'llama*'), provider: 'Groq' }, costs('2', 'llama*'))
    expect(inputPrice(prices, { requestModel: 'llama-3', provider: 'groq' })).toBe('1')
    expect(inputPrice(prices, { requestModel: 'llama-3', provider: 'together' })).toBe('2')
    expect(inputPrice(prices, { requestModel: 'llama-3' })).toBe('2')
  })

  test('that of the model which answered counts, and where none knows it that of the one which was asked', () => {
    const prices = priceList(costs('1', 'alias'), costs('2', 'answering'))
    expect(inputPrice(prices, { requestModel: 'alias', responseModel: 'answering' })).toBe('2')
    expect(inputPrice(prices, { requestModel: 'alias', responseModel: 'unheard-of' })).toBe('1')
  })
})

test.each(['GPT-4o', 'openai/gpt-4o', 'gateway/openai/GPT-4O'])('%s is gpt-4o', (requestModel) => {
  expect(inputPrice(priceList(costs('2.5', 'gpt-4o')), { requestModel })).toBe('2.5')
})

test('the price of the day of the call counts', () => {
  const prices = priceList({
    models: ['m'],
    prices: [
      { from: '2025-06-01', input: '1' },
      { from: '2026-01-01', input: '3' },
    ],
  })
  const at = (day: string) => inputPrice(prices, { requestModel: 'm' }, { atMs: Date.parse(day) })
  expect(at('2025-05-31T23:59:59.999Z')).toBeUndefined()
  expect(at('2025-06-01')).toBe('1')
  expect(at('2025-12-31T23:59:59.999Z')).toBe('1')
  expect(at('2026-01-01')).toBe('3')
})

test('a long prompt costs what the list says of long ones', () => {
  const prices = priceList({
    models: ['m'],
    prices: [{ input: '1', above: { input_tokens: '200000', input: '2' } }],
  })
  expect(inputPrice(prices, { requestModel: 'm' }, { input: 200_000 })).toBe('0.2')
  expect(inputPrice(prices, { requestModel: 'm' }, { input: 200_001 })).toBe('0.400002')
})

test('what has no price of its own costs what it is a part of', () => {
  const prices = priceList({ models: ['m'], prices: [{ input: '1', output: '10' }] })
  const tokens = { input: 100, cached: 60, cacheCreation: 10, output: 50, reasoning: 20 }
  const names = { provider: undefined, requestModel: 'm', responseModel: undefined }
  expect(prices.costOf(names, tokens, JANUARY)).toBe(100 * 1_000_000 + 50 * 10_000_000)
})

test('calls of unknown models are counted', () => {
  const prices = priceList(costs('1', 'known'))
  inputPrice(prices, { requestModel: 'known' })
  inputPrice(prices, { requestModel: 'unknown' })
  inputPrice(prices, { requestModel: 'unknown' })
  expect(prices.unpriced).toBe(2)
})

test('remembers a bounded number of names, and knows them all the same', () => {
  const prices = priceList(costs('1', 'model-1*'))
  for (let round = 0; round < 2; round += 1) {
    for (let number = 0; number < 12_000; number += 1) inputPrice(prices, { requestModel: `model-${number}` })
  }
  expect(inputPrice(prices, { requestModel: 'model-11999' })).toBe('1')
  expect(inputPrice(prices, { requestModel: 'model-2' })).toBeUndefined()
})

test('every problem of a list is told, with its place', () => {
  const { problems } = parsePrices({
    models: [
      { models: [], prices: [{ input: '1.2.3' }] },
      { models: ['m'], price: '1', prices: [{ output: '-1' }, { from: '01.02.2026', input: '1e3' }] },
      'gpt-4o',
      { models: ['m'], prices: [{ input: '0.0000001', above: { input_tokens: 'many' } }] },
    ],
  })
  expect(problems?.map((problem) => problem.split(' ')[0])).toEqual([
    'models[0].prices[0].input',
    'models[0].models',
    'models[1].price',
    'models[1].prices[0].input',
    'models[1].prices[0].output',
    'models[1].prices[1].from',
    'models[1].prices[1].input',
    'models[1].prices',
    'models[2]',
    'models[2].prices',
    'models[2].models',
    'models[3].prices[0].input',
    'models[3].prices[0].above.input_tokens',
    'models[3].prices[0].above.input',
  ])
})

test.each([undefined, null, 'text', [], {}, { models: 'm' }])('%j is no price list', (list) => {
  expect(parsePrices(list).problems).not.toHaveLength(0)
})
