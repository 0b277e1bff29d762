import fc from 'fast-check'
import { expect, test } from 'vitest'
import { approximateBytes } from '../../../src/models/record-size.ts'
import { anyJson } from './arbitrary-json.ts'

const NO_LIMIT = Number.MAX_SAFE_INTEGER

test('the size of a record is that of its JSON, give or take punctuation and escapes', () => {
  fc.assert(
    fc.property(anyJson, (value) => {
      const json = JSON.stringify(value, (_key, member) =>
        typeof member === 'bigint' ? Number(member) : member,
      )
      const bytes = approximateBytes(value, NO_LIMIT)
      expect(bytes).toBeGreaterThan(Buffer.byteLength(json) / 8)
      expect(bytes).toBeLessThan(Buffer.byteLength(json) * 3 + 30)
    }),
  )
})

test('the size of a plain record is within a tenth of its JSON', () => {
  const record = { name: 'chat', attributes: { model: 'gpt-4o', text: 'ä€😀'.repeat(40), list: [1, 2, 3] } }
  const bytes = Buffer.byteLength(JSON.stringify(record))
  expect(Math.abs(approximateBytes(record, NO_LIMIT) - bytes)).toBeLessThan(bytes / 10)
})

test('measuring stops at the limit, at any depth, and at what was seen', () => {
  const wide = Array(1_000_000).fill('x')
  expect(approximateBytes([wide, wide, wide], 100)).toBeLessThan(200)
  let deep: unknown = 'x'
  for (let i = 0; i < 200_000; i++) deep = [deep]
  expect(approximateBytes(deep, NO_LIMIT)).toBeGreaterThan(200_000)
  const cycle: unknown[] = []
  cycle.push(cycle, cycle)
  expect(approximateBytes(cycle, NO_LIMIT)).toBeLessThan(10)
})
