import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AttributeValue } from '../../../src/models/attributes.ts'
import { parseJson, stringifyJson } from '../../../src/models/json.ts'
import { anyText } from './arbitrary-json.ts'

describe('parseJson', () => {
  test.each([
    ['{"a":9007199254740991}', { a: 9007199254740991 }],
    ['{"a":9007199254740993}', { a: 9007199254740993n }],
    ['{"a":-9007199254740993}', { a: -9007199254740993n }],
    ['{"a": 12345678901234567890}', { a: 12345678901234567890n }],
    ['[12345678901234567890]', [12345678901234567890n]],
    ['[1,12345678901234567890]', [1, 12345678901234567890n]],
    ['12345678901234567890', 12345678901234567890n],
    ['{"a":\n12345678901234567890}', { a: 12345678901234567890n }],
  ])('keeps every digit of the integers of %s', (text, value) => {
    expect(parseJson(text)).toEqual({ value })
  })

  test('gives numbers that a double holds as numbers beside a long integer', () => {
    const { value } = parseJson('{"long":12345678901234567890,"a":1.5,"b":1e3,"c":-7,"d":1234567890123456}')
    expect(value).toEqual({ long: 12345678901234567890n, a: 1.5, b: 1000, c: -7, d: 1234567890123456 })
  })

  test.each(['{"n":1}', '{"n":12345678901234567890}'])('takes the last of a repeated key, as in %s', (n) => {
    const text = `{"a":1,"a":{"b":2},"x":${n},"a":3}`
    expect(parseJson(text).value).toMatchObject({ a: 3 })
  })

  test.each(['1', '12345678901234567890'])('takes __proto__ for a key like any other beside %s', (n) => {
    const value = parseJson(`{"__proto__":{"isAdmin":true},"n":${n}}`).value as { isAdmin?: boolean }
    expect(value.isAdmin).toBeUndefined()
    expect(Object.keys(value)).toEqual(['__proto__', 'n'])
  })

  test.each([
    '',
    '{',
    '{"a":}',
    '[1,]',
    'NaN',
    '{"a":12345678901234567890',
    '[12345678901234567890,]',
    '{"a":01234567890123456}',
    "{'a':1}",
    'undefined',
  ])('refuses %j, which is not JSON', (text) => {
    expect(parseJson(text).rejection?.reason).toBe('not_json')
  })

  test('refuses what nests too deep for the exact parser, whatever stands in strings', () => {
    const deep = (levels: number) => `${'['.repeat(levels)}12345678901234567890${']'.repeat(levels)}`
    expect(parseJson(deep(1_000)).rejection).toBeUndefined()
    expect(parseJson(deep(1_001)).rejection?.reason).toBe('too_deep')
    expect(parseJson(deep(100_000)).rejection?.reason).toBe('too_deep')
    const text = `{"brackets":"\\"${'['.repeat(2_000)}","n":12345678901234567890}`
    expect(parseJson(text).rejection).toBeUndefined()
  })

  test('parses a hundred thousand levels of nesting without an exact integer', () => {
    expect(parseJson(`${'['.repeat(100_000)}${']'.repeat(100_000)}`).rejection).toBeUndefined()
  })

  test('keeps an integer of more than a thousand digits as text', () => {
    const digits = '7'.repeat(5_000)
    expect(parseJson(`{"n":${digits}}`)).toEqual({ value: { n: digits } })
  })

  test('agrees with JSON.parse on every text without a long integer', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!/\d{16}/.test(text))
        expect(parseJson(text)).toEqual({ value: JSON.parse(text) })
      }),
    )
  })

  test('agrees with JSON.parse where the exact parser is needed', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!/\d{16}/.test(text))
        const value = parseJson(`[${text},12345678901234567890]`).value
        expect(value).toEqual([JSON.parse(text), 12345678901234567890n])
      }),
    )
  })

  test('never throws', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { value, rejection } = parseJson(`${text}12345678901234567890`)
        expect(value !== undefined || rejection !== undefined).toBe(true)
      }),
    )
  })
})

describe('stringifyJson', () => {
  test.each<[AttributeValue, string]>([
    ['text', '"text"'],
    [12345678901234567890n, '12345678901234567890'],
    [{ a: [1n, { b: 'x' }, null, true, 1.5] }, '{"a":[1,{"b":"x"},null,true,1.5]}'],
    ['a\0b', '"a\\ufffdb"'],
    ['\ud83d', '"\\ufffd"'],
    ['😀', '"😀"'],
    ['\\u0000', '"\\\\u0000"'],
    ['\\\0', '"\\\\\\ufffd"'],
    ['\\ud83d', '"\\\\ud83d"'],
    ['\u001b[0m', '"\\u001b[0m"'],
    [{ '\0': [1n, '\udead'] }, '{"\\ufffd":[1,"\\ufffd"]}'],
    [{ isLosslessNumber: true, value: '1; drop' }, '{"isLosslessNumber":true,"value":"1; drop"}'],
  ])('writes %o as %s', (value, text) => {
    expect(stringifyJson(value)).toBe(text)
  })

  test('writes any text as JSON that jsonb takes, and changes nothing that jsonb can hold', () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (text, withBigInt) => {
        const value = withBigInt ? { [text]: [text, 2n ** 70n] } : { [text]: [text] }
        const json = stringifyJson(value)
        const restored = JSON.parse(json) as Record<string, [string]>
        const stored = Object.keys(restored)[0] ?? ''
        expect(stored).toBe(text.toWellFormed().replaceAll('\0', '\ufffd'))
        expect(restored[stored]?.[0]).toBe(stored)
      }),
    )
  })
})
