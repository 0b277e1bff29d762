import { expect, test } from 'vitest'
import { visibleLine, visiblePieces, visibleText } from '../../../src/models/shown/visible-text.ts'

const HOSTILE = 'a\u001b[31mb\u202ec\u200b\td\r\ne\u2028f\u0000'

test('what a screen would act on is written out, lines stay', () => {
  expect(visibleText(HOSTILE)).toBe('a\\x1b[31mb\\u{202e}c\\u{200b}\\td\\r\ne\\u{2028}f\\x00')
  expect(visibleLine('a\nb')).toBe('a\\nb')
  expect(visibleText('Zażółć 日本語 🙂 \\n')).toBe('Zażółć 日本語 🙂 \\n')
})

test('in pieces it says which characters were written out, and keeps those it is told to', () => {
  const text = (pieces: ReturnType<typeof visiblePieces>) => pieces.map((piece) => piece.text).join('')
  expect(text(visiblePieces(HOSTILE))).toBe(visibleLine(HOSTILE))
  expect(visiblePieces('a\u202eb\n\tc', '\n\t')).toEqual([
    { text: 'a', isEscaped: false },
    { text: '\\u{202e}', isEscaped: true },
    { text: 'b\n\tc', isEscaped: false },
  ])
  expect(visiblePieces('')).toEqual([])
  expect(text(visiblePieces('\ud800x'))).toBe('\ufffdx')
})
