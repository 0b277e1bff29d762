import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readablePayload } from '../../../src/commands/dead-letters/readable-payload.ts'
import { terminalBytes, terminalLine } from '../../../src/commands/terminal-text.ts'
import { resp } from '../../helpers/dead-letters.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const CONTROLS = /[\0-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/u

test('no payload has a character that a terminal would act on, in any form', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary' }), (bytes, text) => {
      for (const payload of [
        Buffer.from(bytes),
        Buffer.from(text),
        Buffer.from(JSON.stringify({ [text]: text })),
      ]) {
        for (const form of ['record', 'json', 'entry'])
          expect(readablePayload(form, payload)).not.toMatch(CONTROLS)
        expect(readablePayload('entry', resp(payload, payload))).not.toMatch(CONTROLS)
      }
      expect(terminalLine(text)).not.toMatch(/\n/)
    }),
  )
})

describe('bytes', () => {
  test('that are UTF-8 are text, others are told one by one', () => {
    expect(terminalBytes(Buffer.from('grüße \u{1f600}\n\ttab'))).toBe('grüße \u{1f600}\n\\ttab')
    expect(terminalBytes(Buffer.from([0x61, 0xff, 0x5c, 0x0a, 0x00]))).toBe('a\\xff\\\\\n\\x00')
  })
})

test('JSON is indented with its integers exact, and shown as it is when it is none', () => {
  expect(readablePayload('record', Buffer.from('{"a":18446744073709551615}'))).toBe(
    '{\n  "a": 18446744073709551615\n}',
  )
  expect(readablePayload('json', Buffer.from('{"a":'))).toBe('{"a":')
  const deep = '['.repeat(5000) + ']'.repeat(5000)
  expect(readablePayload('json', Buffer.from(deep))).toContain('[')
})

test('what reorders or hides text is written out', () => {
  expect(terminalLine('a\u202eb\u200bc\ufeffd\u2028e\u009bf\u001bg\u007fh\r\n')).toBe(
    'a\\u{202e}b\\u{200b}c\\u{feff}d\\u{2028}e\\x9bf\\x1bg\\x7fh\\r\\n',
  )
})
