import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cleanText, isStorable, mayHoldUnstorableText } from '../../../src/models/clean-text.ts'
import { anyText } from './arbitrary-json.ts'
import { contextWith } from './decoding.ts'

describe('mayHoldUnstorableText', () => {
  test.each([
    ['plain', false],
    ['{"a":"\\n\\u001b\\u00e9"}', false],
    ['{"a":"\\u0000"}', true],
    ['{"a":"\\uD83D"}', true],
    ['{"a":"\\udE00"}', true],
    ['a\0b', true],
    ['a\ud83d', true],
    ['😀', false],
  ])('of %j is %s', (raw, expected) => {
    expect(mayHoldUnstorableText(raw)).toBe(expected)
  })

  test('is true of every JSON text that parses to something unstorable', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(isStorable(text) || mayHoldUnstorableText(JSON.stringify(text))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})

describe('cleanText', () => {
  test('replaces NUL and lone surrogates one for one, and counts the text once', () => {
    const context = contextWith({ suspicious: true })
    expect(cleanText('a\0b\0\ud83d😀\ude00', context)).toBe('a\ufffdb\ufffd\ufffd😀\ufffd')
    expect(cleanText('clean 😀', context)).toBe('clean 😀')
    expect(context.cleaned).toBe(1)
  })

  test('makes any text storable', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(isStorable(cleanText(text, contextWith({ suspicious: true })))).toBe(true)
      }),
    )
  })
})
