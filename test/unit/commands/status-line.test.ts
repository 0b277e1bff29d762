import { describe, expect, test } from 'vitest'
import { describeRows, StatusLine } from '../../../src/commands/quickstart/status-line.ts'

const CLEAR = '\r\u001b[K'

function output(options: { isTTY?: boolean; columns?: number }) {
  const written: string[] = []
  return { ...options, written, write: (text: string) => written.push(text) }
}

describe('the line that stays, on a terminal', () => {
  test('changes in place, and other lines go above it', () => {
    const terminal = output({ isTTY: true, columns: 80 })
    const line = new StatusLine(terminal)
    line.print('started\n')
    line.show('1 row')
    line.show('2 rows')
    line.print('a warning\n')
    line.end()
    line.print('stopped\n')
    expect(terminal.written).toEqual([
      'started\n',
      `${CLEAR}1 row`,
      `${CLEAR}2 rows`,
      `${CLEAR}a warning\n2 rows`,
      '\n',
      'stopped\n',
    ])
  })

  test('never wraps, on a terminal that does not tell its width either', () => {
    for (const [columns, width] of [
      [20, 19],
      [0, 79],
    ] as const) {
      const terminal = output({ isTTY: true, columns })
      new StatusLine(terminal).show('x'.repeat(100))
      expect(terminal.written).toEqual([CLEAR + 'x'.repeat(width)])
    }
  })
})

test('elsewhere it is a line like others', () => {
  const file = output({})
  const line = new StatusLine(file)
  line.show('1 row')
  line.print('a warning\n')
  line.end()
  expect(file.written).toEqual(['1 row\n', 'a warning\n'])
})

test('rows are told by signal, with a rate, and a lag that may be unknown', () => {
  const rows = { traces: 1200, metrics: 34, logs: 0 }
  expect(describeRows({ rows, total: 1234, lag: 0 }, 34.6)).toBe(
    '1,234 rows written (spans 1,200, data points 34, log records 0), 35/s, lag 0',
  )
  expect(describeRows({ rows, total: 1234, lag: undefined }, 0)).toMatch(/lag unknown$/)
})
