import { describe, expect, test } from 'vitest'
import { formatBytes, formatCount, textTable } from '../../../src/commands/text-table.ts'

describe('a table', () => {
  const columns = [{ heading: 'NAME' }, { heading: 'ROWS', align: 'right' as const }, { heading: 'NOTE' }]

  test('columns are as wide as their widest cell, numbers stand at the right, no line ends in blanks', () => {
    const rows = [
      ['spans', '1,234,567', ''],
      ['log_records', '5', 'new'],
    ]
    expect(textTable(columns, rows)).toBe(
      'NAME              ROWS  NOTE\nspans        1,234,567\nlog_records          5  new\n',
    )
  })

  test('without rows there is the heading', () => {
    expect(textTable(columns, [])).toBe('NAME  ROWS  NOTE\n')
  })
})

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 KiB'],
  [1536, '1.5 KiB'],
  [200 * 1024, '200 KiB'],
  [1000 * 1024, '1.0 MiB'],
  [5 * 1024 ** 4, '5.0 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test('a count has commas, whatever the locale of the machine', () => {
  expect(formatCount(1234567)).toBe('1,234,567')
})
