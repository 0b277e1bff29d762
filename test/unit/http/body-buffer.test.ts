import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BodyBuffer } from '../../../src/http/otlp/body-buffer.ts'

const KIB = 1024

test('pieces of all sizes are handed over as they came, also where the room for them grows', () => {
  const pieces = fc.array(fc.tuple(fc.integer({ min: 0, max: 700 * KIB }), fc.nat(255)), { maxLength: 12 })
  fc.assert(
    fc.property(pieces, (sizes) => {
      const sent = sizes.map(([length, byte]) => Buffer.alloc(length, byte))
      const whole = Buffer.concat(sent)
      const body = new BodyBuffer(whole.length)
      for (const piece of sent) body.add(piece)
      expect(body.length).toBe(whole.length)
      expect(body.take().equals(whole)).toBe(true)
    }),
    { numRuns: 50 },
  )
})

test('what was taken is not kept', () => {
  const body = new BodyBuffer(4 * KIB * KIB)
  for (let index = 0; index < 40; index += 1) body.add(Buffer.alloc(100 * KIB, index))
  expect(body.take().length).toBe(4000 * KIB)
  expect(body.take().length).toBe(0)
})
