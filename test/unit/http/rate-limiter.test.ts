import { expect, test } from 'vitest'
import { RateLimiter } from '../../../src/http/access/rate-limiter.ts'

test('gives what a second brings at once, and then as fast as it comes', () => {
  const limiter = new RateLimiter(10)
  for (let n = 0; n < 10; n += 1) {
    expect(limiter.waitOf('a', 0)).toBe(0)
    limiter.take('a', 1, 0)
  }
  expect(limiter.waitOf('a', 0)).toBeCloseTo(0.1)
  expect(limiter.waitOf('a', 101)).toBe(0)
  expect(limiter.waitOf('b', 0), 'another key').toBe(0)
})

test('gives more than there is at once, and nothing more until that has come', () => {
  const limiter = new RateLimiter(100)
  limiter.take('a', 500, 0)
  expect(limiter.waitOf('a', 0)).toBeCloseTo(4.01)
  expect(limiter.waitOf('a', 3900)).toBeGreaterThan(0)
  expect(limiter.waitOf('a', 4011)).toBe(0)
})

test('never saves up more than a second', () => {
  const limiter = new RateLimiter(10)
  limiter.take('a', 1, 0)
  limiter.take('a', 10, 3_600_000)
  expect(limiter.waitOf('a', 3_600_000)).toBeGreaterThan(0)
})

test('knows 10,000 keys, and forgets the oldest past that', () => {
  const limiter = new RateLimiter(1)
  limiter.take('first', 100, 0)
  for (let n = 0; n < 9_999; n += 1) limiter.take(`key ${n}`, 1, 0)
  expect(limiter.waitOf('first', 0)).toBeGreaterThan(0)
  limiter.take('one more', 1, 0)
  expect(limiter.waitOf('first', 0)).toBe(0)
})
