import { expect, test } from 'vitest'
import { isCardNumber } from '../../../../src/models/privacy/card-number.ts'

/** The brands' own test numbers. */
test.each([
  '4111111111111111',
  '4222222222222',
  '5555555555554444',
  '2223003122003222',
  '378282246310005',
  '30569309025904',
  '6011111111111117',
  '3530111333300000',
  '6200000000000005',
  '4111-1111-1111-1111',
])('%s is the number of a card', (text) => {
  expect(isCardNumber(text)).toBe(true)
})

test.each(['4111111111111112', '9111111111111111', '411111111111111', '0000000000000000', ''])(
  '%s is none',
  (text) => {
    expect(isCardNumber(text)).toBe(false)
  },
)
