import { describe, expect, test } from 'vitest'
import { readAttributeWords, writeAttributeWords } from '../../../src/page/filters/attribute-words.ts'
import { readView, writeView } from '../../../src/page/view.ts'

const TRACE = '5b8aa5a2d2c872e8321cf37308d69df2'

describe('the address', () => {
  test('holds what is looked at, and is read back as it was written', () => {
    const view = {
      signal: 'spans',
      words: [
        ['service', 'a & b'],
        ['attr.http.route', '/chat?x=1#y'],
        ['attr.http.route', 'é'],
      ],
      trace: TRACE,
      span: '051581bf3cb55c13',
    } as const
    expect(readView(writeView(view))).toEqual(view)
    expect(writeView({ ...view, words: [], trace: undefined })).toBe('#spans')
  })

  test('that cannot be meant is all logs, and an id that is none is left out', () => {
    const logs = { signal: 'logs', words: [], trace: undefined, span: undefined }
    expect(readView('')).toEqual(logs)
    expect(readView('#what?level=')).toEqual(logs)
    expect(readView(`#logs?trace=../../x&span=${TRACE}`)).toEqual(logs)
    expect(readView(`#logs?trace=${TRACE.toUpperCase()}`).trace).toBe(TRACE)
  })
})

describe('attributes of the filter', () => {
  test('are read from what a person writes, values with blanks in quotes', () => {
    const words = [
      ['attr.http.route', '/chat'],
      ['attr.user', 'Ann "B" \\ C'],
      ['attr.empty', ''],
    ] as const
    expect(readAttributeWords('http.route=/chat  user="Ann \\"B\\" \\\\ C" empty=')).toEqual(words)
    expect(readAttributeWords(writeAttributeWords(words))).toEqual(words)
  })

  test('without a name are none', () => {
    expect(readAttributeWords('only words =x')).toEqual([])
  })
})
