import { describe, expect, test } from 'vitest'
import type { AttributeValue } from '../../../src/models/attributes.ts'
import { attributeMatcher } from '../../../src/repositories/match-attribute.ts'

describe('an attribute is', () => {
  test.each<[string, AttributeValue]>([
    ['ada', 'ada'],
    ['42', '42'],
    ['42', 42],
    ['42.0', 42],
    ['42.0', '42.0'],
    ['-0', 0],
    ['42.50', 42.5],
    ['-42.5', -42.5],
    ['0.00000015', 1.5e-7],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['9007199254740993.00', 9_007_199_254_740_993n],
    ['true', true],
    ['true', 'true'],
    ['null', null],
    ['', ''],
  ])('%s where it is %s', (text, value) => {
    expect(attributeMatcher('key', text)({ key: value })).toBe(true)
  })

  test.each<[string, AttributeValue]>([
    ['ada', 'Ada'],
    ['42', '42.0'],
    ['42', [42]],
    ['042', 42],
    ['1e3', 1000],
    ['0.1000000000000000055511151231', 0.1],
    ['9007199254740992', 9_007_199_254_740_993n],
    ['true', 'True'],
    ['True', true],
    ['null', 'undefined'],
    ['', null],
    ['NaN', Number.NaN],
  ])('not %s where it is %s', (text, value) => {
    expect(attributeMatcher('key', text)({ key: value })).toBe(false)
  })

  test('nothing where it is not there, whatever it is called', () => {
    for (const key of ['key', 'constructor', '__proto__', 'toString'])
      for (const text of ['null', 'undefined', '0', '', 'false'])
        expect(attributeMatcher(key, text)({})).toBe(false)
  })

  test('found by a name that every object has', () => {
    const attributes = JSON.parse('{"__proto__":"x","constructor":1}')
    expect(attributeMatcher('__proto__', 'x')(attributes)).toBe(true)
    expect(attributeMatcher('constructor', '1')(attributes)).toBe(true)
  })
})
