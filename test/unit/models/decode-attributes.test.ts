import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isStorable } from '../../../src/models/clean-text.ts'
import { decodeAttributes } from '../../../src/models/decode-attributes.ts'
import type { DecodeContext } from '../../../src/models/decode-context.ts'
import { parseJson, stringifyJson } from '../../../src/models/json.ts'
import { anyJson, anyText } from './arbitrary-json.ts'
import { contextWith } from './decoding.ts'

function decode(value: unknown, context: DecodeContext = contextWith()) {
  const attributes = decodeAttributes(value, 'attributes', context)
  return { attributes, reason: context.rejection?.reason }
}

describe('attributes in normal form', () => {
  test('are the very object that came in when nothing has to change', () => {
    const input = { a: 'x', b: 1.5, c: true, d: null, e: [1, { f: 'y' }], g: 2n ** 60n }
    expect(decode(input).attributes).toBe(input)
    expect(decode(input, contextWith({ suspicious: true })).attributes).toBe(input)
  })

  test.each([
    ['NaN', Number.NaN, 'NaN'],
    ['Infinity', Number.POSITIVE_INFINITY, 'Infinity'],
    ['-Infinity', Number.NEGATIVE_INFINITY, '-Infinity'],
    ['minus zero', -0, 0],
    ['a small bigint', 42n, 42],
    ['a double past 2^53', 1e18, 1_000_000_000_000_000_000n],
    ['bytes', new Uint8Array([1, 2, 255]), { bytesValue: 'AQL/' }],
  ])('hold %s as text, number or bigint without touching the input', (_name, value, expected) => {
    const input = Object.freeze({ kept: 'x', nested: Object.freeze([Object.freeze({ value })]) })
    const { attributes } = decode(input)
    expect(attributes).toEqual({ kept: 'x', nested: [{ value: expected }] })
    expect(Object.is((attributes as { nested: { value: unknown }[] }).nested[0]?.value, -0)).toBe(false)
  })

  test('keep __proto__ and the empty string as keys', () => {
    const input = JSON.parse('{"__proto__":{"x":1e400},"":1}') as object
    const { attributes } = decode(input)
    expect(Object.keys(attributes)).toEqual(['__proto__', ''])
    expect(JSON.stringify(attributes)).toBe('{"__proto__":{"x":"Infinity"},"":1}')
    expect((attributes as { x?: unknown }).x).toBeUndefined()
  })

  test.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a Date', new Date()],
    ['a Map', new Map()],
  ])('refuse %s', (_name, value) => {
    expect(decode({ a: [value] }).reason).toBe('wrong_type')
  })

  test('may nest as deep as the limit and no deeper', () => {
    const nest = (levels: number) => {
      let value: unknown = 'leaf'
      for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value }
      return { value }
    }
    expect(decode(nest(8)).reason).toBeUndefined()
    expect(decode(nest(9)).reason).toBe('too_deep')
    expect(decode(nest(100_000)).reason).toBe('too_deep')
  })

  test('refuse an object that holds itself', () => {
    const cycle: Record<string, unknown> = {}
    cycle.a = [cycle, cycle]
    expect(decode(cycle).reason).toBe('too_deep')
  })

  test('refuse an integer of more than a thousand digits', () => {
    expect(decode({ n: 10n ** 1000n }).reason).toBeUndefined()
    expect(decode({ n: 10n ** 1000n + 1n }).reason).toBe('out_of_range')
    expect(decode({ n: -(10n ** 1001n) }).reason).toBe('out_of_range')
  })

  test('are cleaned of NUL and lone surrogates, in keys and values, and each is counted', () => {
    const context = contextWith({ suspicious: true })
    const { attributes } = decode({ 'a\0': 'b\ud800', c: ['\0', { '\0': 1 }], d: 'fine' }, context)
    expect(attributes).toEqual({ 'a\ufffd': 'b\ufffd', c: ['\ufffd', { '\ufffd': 1 }], d: 'fine' })
    expect(context.cleaned).toBe(4)
  })

  test.each([['a string'], [42], [true]])('are not %o', (value) => {
    expect(decode(value).reason).toBe('wrong_type')
  })

  test('are parsed from text in the flat form only', () => {
    const flat = () => contextWith({ flat: true })
    expect(decode('{"a":12345678901234567890}', flat()).attributes).toEqual({ a: 12345678901234567890n })
    expect(decode('[{"key":"a","value":{"intValue":"1"}}]', flat()).attributes).toEqual({ a: 1 })
    expect(decode('', flat())).toEqual({ attributes: {}, reason: undefined })
    expect(decode('{"a":', flat()).reason).toBe('not_json')
    expect(decode('7', flat()).reason).toBe('wrong_type')
    expect(decode('{"a":1}').reason).toBe('wrong_type')
  })

  test('are a fixed point: what was decoded, written and read back decodes to the same', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyJson, { noNullPrototype: true }), (input) => {
        const first = decode(input, contextWith({ suspicious: true })).attributes
        const text = stringifyJson(first)
        expect(isStorable(text)).toBe(true)
        expect(isDeepStrictEqual(decode(parseJson(text).value).attributes, first)).toBe(true)
      }),
    )
  })

  test('survive being written and read back for every double', () => {
    fc.assert(
      fc.property(fc.double(), (n) => {
        const first = decode({ n }).attributes
        expect(decode(parseJson(stringifyJson(first)).value).attributes).toStrictEqual(first)
      }),
      { numRuns: 500 },
    )
  })
})

describe('an OTLP KeyValue list', () => {
  test('is unwrapped into an attribute object', () => {
    const list = [
      { key: 'string', value: { stringValue: 'x' } },
      { key: 'bool', value: { boolValue: false } },
      { key: 'int', value: { intValue: '9007199254740993' } },
      { key: 'small', value: { intValue: 7 } },
      { key: 'double', value: { doubleValue: 1.5 } },
      { key: 'nan', value: { doubleValue: 'NaN' } },
      { key: 'text double', value: { doubleValue: '-2.5e3' } },
      { key: 'bytes', value: { bytesValue: 'AQID' } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: 1 }, {}] } } },
      { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { boolValue: true } }] } } },
      { key: 'empty list', value: { arrayValue: {} } },
      { key: 'empty', value: {} },
      { key: 'none' },
      { key: 'unset member', value: { stringValue: null, intValue: 5 } },
      { key: 'later version', value: { stringIndex: 3 } },
      { key: 'string', value: { stringValue: 'the last one counts' } },
    ]
    expect(decode(list).attributes).toEqual({
      string: 'the last one counts',
      bool: false,
      int: 9007199254740993n,
      small: 7,
      double: 1.5,
      nan: 'NaN',
      'text double': -2500,
      bytes: { bytesValue: 'AQID' },
      list: ['a', 1, null],
      map: { k: true },
      'empty list': [],
      empty: null,
      none: null,
      'unset member': 5,
      'later version': { stringIndex: 3 },
    })
  })

  test('has the empty key where protobuf leaves it out', () => {
    expect(decodeAttributes([{ value: { stringValue: 'x' } }], 'attributes', contextWith())).toEqual({
      '': 'x',
    })
  })

  test.each([
    ['a member that is no object', [1], 'wrong_type'],
    [
      'a member that has something else for a key',
      [{ name: 'a', value: { stringValue: 'x' } }],
      'wrong_type',
    ],
    ['a stringValue that is a number', [{ key: 'a', value: { stringValue: 1 } }], 'wrong_type'],
    ['a boolValue that is text', [{ key: 'a', value: { boolValue: 'true' } }], 'wrong_type'],
    ['an intValue with a fraction', [{ key: 'a', value: { intValue: 1.5 } }], 'wrong_type'],
    ['an intValue past int64', [{ key: 'a', value: { intValue: '9223372036854775808' } }], 'out_of_range'],
    ['a doubleValue that is a word', [{ key: 'a', value: { doubleValue: 'many' } }], 'wrong_type'],
    ['an arrayValue that is a list', [{ key: 'a', value: { arrayValue: [1] } }], 'wrong_type'],
    ['a kvlistValue that is text', [{ key: 'a', value: { kvlistValue: 'x' } }], 'wrong_type'],
  ])('is refused with %s', (_name, list, reason) => {
    expect(decode(list).reason).toBe(reason)
  })

  test('is cleaned of NUL and lone surrogates, in keys and values', () => {
    const context = contextWith({ suspicious: true })
    const list = [{ key: 'a\0', value: { stringValue: 'b\ud800' } }]
    expect(decode(list, context).attributes).toEqual({ 'a\ufffd': 'b\ufffd' })
    expect(context.cleaned).toBe(2)
  })

  test('nests as deep as the limit and no deeper', () => {
    const nest = (levels: number) => {
      let value: object = { stringValue: 'leaf' }
      for (let i = 0; i < levels; i++) {
        value =
          i % 2 === 0
            ? { arrayValue: { values: [value] } }
            : { kvlistValue: { values: [{ key: 'k', value }] } }
      }
      return [{ key: 'deep', value }]
    }
    expect(decode(nest(8)).reason).toBeUndefined()
    expect(decode(nest(9)).reason).toBe('too_deep')
    expect(decode(nest(50_000)).reason).toBe('too_deep')
  })
})
