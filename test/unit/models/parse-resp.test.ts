import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseResp } from '../../../src/models/parse-resp.ts'
import { resp } from '../../helpers/dead-letters.ts'

const field = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))

test('an array of bulk strings is read back, whatever bytes are in it', () => {
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      expect(parseResp(resp(...fields))?.map(String)).toEqual(fields.map(String))
      expect(Buffer.concat(parseResp(resp(...fields)) ?? []).equals(Buffer.concat(fields))).toBe(true)
    }),
  )
})

test('what is cut off or goes on is none', () => {
  fc.assert(
    fc.property(fc.array(field), fc.nat(), (fields, position) => {
      const whole = resp(...fields)
      expect(parseResp(whole.subarray(0, position % whole.length))).toBeUndefined()
      expect(parseResp(Buffer.concat([whole, Buffer.of(position % 256)]))).toBeUndefined()
    }),
  )
})

test.each([
  '',
  '*',
  '*1',
  '*1\r\n',
  '*-1\r\n',
  '*1\r\n:1\r\n',
  '*1\r\n$-1\r\n',
  '*9999999999\r\n',
  '*1\r\n$2\r\na\r\n',
  '*1\r\n$1\r\nabc',
])('%j is none', (text) => {
  expect(parseResp(Buffer.from(text))).toBeUndefined()
})
