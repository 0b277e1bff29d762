import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeTime, decodeUnixNano } from '../../../src/models/decode-time.ts'

const SECOND = 1_000_000_000n
const MAX = 2n ** 63n - 1n

describe('a time', () => {
  test.each([
    ['2023-11-14T22:13:20Z', 1700000000n * SECOND],
    ['2023-11-14t22:13:20z', 1700000000n * SECOND],
    ['2023-11-14T22:13:20.1Z', 1700000000_100000000n],
    ['2023-11-14T22:13:20.123456789Z', 1700000000_123456789n],
    ['2023-11-14T22:13:20.1234567899999Z', 1700000000_123456789n],
    ['2023-11-15T03:43:20+05:30', 1700000000n * SECOND],
    ['2023-11-15T03:43:20+0530', 1700000000n * SECOND],
    ['2023-11-14T14:13:20-08', 1700000000n * SECOND],
    ['2023-11-14 22:13:20', 1700000000n * SECOND],
    ['2023-11-14 22:13:20.000000001', 1700000000_000000001n],
    ['2023-11-14T22:13:20', 1700000000n * SECOND],
    ['2024-02-29T00:00:00Z', 1709164800n * SECOND],
    ['2000-02-29T00:00:00Z', 951782400n * SECOND],
    ['1969-12-31T23:59:59.5Z', -500_000_000n],
    ['2016-12-31T23:59:60Z', 1483228800n * SECOND],
  ])('is read from %s', (text, nanos) => {
    expect(decodeTime(text)).toBe(nanos)
  })

  test.each([
    ['seconds', 1700000000, 1700000000n * SECOND],
    ['seconds with a fraction', 1700000000.123, 1700000000_123000000n],
    ['seconds as text', '1700000000', 1700000000n * SECOND],
    ['seconds as text with nine digits of fraction', '1700000000.123456789', 1700000000_123456789n],
    ['milliseconds', 1700000000123, 1700000000_123000000n],
    ['milliseconds with a fraction', '1700000000123.4567891', 1700000000_123456789n],
    ['microseconds', 1700000000123456, 1700000000_123456000n],
    ['nanoseconds as text', '1700000000123456789', 1700000000_123456789n],
    ['nanoseconds as bigint', 1700000000123456789n, 1700000000_123456789n],
    ['negative seconds', -1, -SECOND],
    ['negative seconds as text', '-1.5', -1_500_000_000n],
    ['the epoch', 0, 0n],
    ['a Date', new Date(1700000000123), 1700000000_123000000n],
  ])('is read from unix %s', (_name, time, nanos) => {
    expect(decodeTime(time)).toBe(nanos)
  })

  test('changes its unit between 10^11, 10^14 and 10^17', () => {
    expect(decodeTime(4_000_000_000)).toBe(4_000_000_000n * SECOND)
    expect(decodeTime(99_999_999_999)).toBeUndefined()
    expect(decodeTime(100_000_000_000)).toBe(100_000_000n * SECOND)
    expect(decodeTime(99_999_999_999_999)).toBeUndefined()
    expect(decodeTime(100_000_000_000_000)).toBe(100_000_000n * SECOND)
    expect(decodeTime(99_999_999_999_999_999n)).toBeUndefined()
    expect(decodeTime(100_000_000_000_000_000n)).toBe(100_000_000n * SECOND)
  })

  test.each([
    '',
    'now',
    '2023-11-14',
    '2023-11-14T22:13Z',
    '2023-02-29T00:00:00Z',
    '2023-02-30T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2023-04-31T00:00:00Z',
    '2023-00-10T00:00:00Z',
    '2023-13-10T00:00:00Z',
    '2023-01-00T00:00:00Z',
    '2023-01-01T24:00:00Z',
    '2023-01-01T00:60:00Z',
    '2023-01-01T00:00:60Z',
    '2023-01-01T00:59:61Z',
    '2023-01-01T00:00:00+24:00',
    '2023-01-01T00:00:00+00:60',
    '2023-01-01T00:00:00+1',
    '2023-01-01T00:00:00.Z',
    '2023-01-01T00:00:00ZZ',
    ' 2023-01-01T00:00:00Z',
    '2262-04-12T00:00:00Z',
    '1677-09-20T00:00:00Z',
    '0099-01-01T00:00:00Z',
    '0x10',
    '1e9',
    '1.',
    '.5',
    `1.${'0'.repeat(100)}`,
    '9'.repeat(40),
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e300,
    2n ** 63n,
    true,
    null,
    {},
    [1700000000],
    new Date(Number.NaN),
  ])('is not %o', (value) => {
    expect(decodeTime(value)).toBeUndefined()
  })

  test('written by Date is the time Date means, to the millisecond', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1678-01-01'), max: new Date('2262-01-01'), noInvalidDate: true }),
        (date) => {
          expect(decodeTime(date.toISOString())).toBe(BigInt(date.getTime()) * 1_000_000n)
        },
      ),
    )
  })

  test('keeps nanoseconds through every zone', () => {
    const offsets = fc.tuple(fc.constantFrom('+', '-'), fc.nat(23), fc.nat(59))
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e9 }), fc.nat(999_999_999), offsets, (s, n, [sign, h, m]) => {
        const shift = (sign === '-' ? -1 : 1) * (h * 3600 + m * 60)
        const local = new Date((s + shift) * 1000).toISOString().slice(0, 19)
        const zone = `${sign}${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`
        const text = `${local}.${String(n).padStart(9, '0')}${zone}`
        expect(decodeTime(text)).toBe(BigInt(s) * SECOND + BigInt(n))
      }),
    )
  })

  test('is a time or undefined for any value, and always fits 64 bits', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.bigInt(), fc.double().map(String)), (value) => {
        const time = decodeTime(value)
        expect(time === undefined || (time >= -MAX - 1n && time <= MAX)).toBe(true)
      }),
    )
  })
})

describe('unix nanoseconds', () => {
  test.each([
    ['1700000000123456789', 1700000000123456789n],
    [1700000000123456789n, 1700000000123456789n],
    ['1700000000', 1700000000n],
    [1700000000, 1700000000n],
    ['9223372036854775807', MAX],
    ['-1', -1n],
    ['0', 0n],
  ])('are read from %o as they are, whatever their magnitude', (value, nanos) => {
    expect(decodeUnixNano(value)).toBe(nanos)
  })

  test.each([
    '9223372036854775808',
    '18446744073709551615',
    '',
    '1.5',
    1.5,
    '1e9',
    '2023-11-14T22:13:20Z',
    true,
    null,
  ])('are not %o', (value) => {
    expect(decodeUnixNano(value)).toBeUndefined()
  })
})
