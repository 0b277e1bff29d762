import { describe, expect, test } from 'vitest'
import { NamedInBytes, traceIdsIn } from '../../src/retention/erasure/named-in-bytes.ts'

const TRACE = '5b8aa5a2d2c872e8321cf37308d69df2'
const LONG = 'x'.repeat(300)

function isIn(id: string, bytes: string | Buffer): boolean {
  return new NamedInBytes({ users: [id], sessions: [] }).isIn(Buffer.from(bytes))
}

describe('an id', () => {
  test.each([
    ['JSON', 'ann', '{"attributes":{"user.id":"ann"}}'],
    ['a number of JSON', '42', '{"user.id":42}'],
    ['JSON in JSON', 'ann', String.raw`{"body":"{\"user.id\":\"ann\"}"}`],
    ['JSON with escapes', 'a"b\\c\n', JSON.stringify({ id: 'a"b\\c\n' })],
    ['JSON of Python', 'josé', String.raw`{"id":"jos\u00e9"}`],
    ['JSON of PHP', 'a/b', String.raw`{"id":"a\/b"}`],
    ['a field', 'ann', 'ann'],
    ['RESP', 'ann', '*2\r\n$7\r\nuser.id\r\n$3\r\nann\r\n'],
    ['a text', 'ann@example.com', 'from ann@example.com, today'],
    ['protobuf, before the next tag', 'ann', Buffer.from('0a03616e6e3232', 'hex')],
    [
      'protobuf, longer than 127 bytes',
      LONG,
      Buffer.concat([Buffer.from('zz'), Buffer.from([0xac, 0x02]), Buffer.from(`${LONG}z`)]),
    ],
    [
      'COPY BINARY',
      'ann',
      Buffer.concat([Buffer.from('zz'), Buffer.from([0, 0, 0, 3]), Buffer.from('annz')]),
    ],
  ])('is found in %s', (_form, id, bytes) => {
    expect(isIn(id, bytes)).toBe(true)
  })

  test.each([
    ['ann', '{"user.id":"annabel"}'],
    ['ann', '{"user.id":"joann"}'],
    ['ann', '{"user.id":"ann2"}'],
    ['42', '{"user.id":142}'],
    ['ann', '{"user.id":"Ann"}'],
    ['ann', 'annéé'],
  ])('%s is not found in %s', (id, bytes) => {
    expect(isIn(id, bytes)).toBe(false)
  })

  test('is found where it first stands in a longer word', () => {
    expect(isIn('ann', '"annabel", "ann"')).toBe(true)
  })
})

describe('trace ids', () => {
  test('are found as hex digits of any case and as the bytes of protobuf and COPY', () => {
    expect(traceIdsIn(Buffer.from(`{"traceId":"${TRACE.toUpperCase()}"}`))).toEqual([TRACE])
    const bytes = Buffer.from(TRACE, 'hex')
    expect(traceIdsIn(Buffer.concat([Buffer.from([0x0a, 16]), bytes, Buffer.from([1])]))).toEqual([TRACE])
    expect(traceIdsIn(Buffer.concat([Buffer.from([0, 0, 0, 16]), bytes]))).toContain(TRACE)
  })

  test('are no part of longer digits', () => {
    expect(traceIdsIn(Buffer.from(`${TRACE}0`))).toEqual([])
  })
})
