import { expect, test } from 'vitest'
import { jsonText, parseJson, valueText } from '../../../src/page/parse-json.ts'

test('integers that a number cannot hold keep their digits where the engine tells the source', () => {
  const text = '{"id":12345678901234567890,"small":1,"text":"12345678901234567890"}'
  // Node.js 20 does not tell it; Chromium does, see page.test.ts.
  const tellsSource = JSON.parse('1', (_n, _v, context?: { source?: string }) => context?.source) === '1'
  if (tellsSource) expect(jsonText(parseJson(text))).toBe(text)
  else expect(parseJson(text)).toMatchObject({ small: 1, text: '12345678901234567890' })
})

test('a value is text as it is, anything else JSON with all digits', () => {
  expect(valueText('a\nb')).toBe('a\nb')
  expect(valueText({ a: 12345678901234567890n, b: ['x'] })).toBe('{"a":12345678901234567890,"b":["x"]}')
  expect(valueText(undefined)).toBe('')
})
