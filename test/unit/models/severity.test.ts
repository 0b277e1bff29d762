import { describe, expect, test } from 'vitest'
import { severityNumberOf } from '../../../src/models/severity.ts'

describe('the severity number', () => {
  test.each([
    ['trace', 1],
    ['TRACE4', 4],
    ['debug', 5],
    ['Debug2', 6],
    ['info', 9],
    ['INFO2', 10],
    ['warn', 13],
    ['error', 17],
    ['ERROR4', 20],
    ['fatal', 21],
    ['FATAL4', 24],
  ])("of OpenTelemetry's %s is %i", (word, number) => {
    expect(severityNumberOf(word)).toBe(number)
  })

  test.each([
    ['emerg', 21],
    ['Emergency', 21],
    ['panic', 21],
    ['ALERT', 19],
    ['crit', 18],
    ['CRITICAL', 18],
    ['err', 17],
    ['warning', 13],
    ['notice', 10],
    ['informational', 9],
    ['Information', 9],
    ['verbose', 5],
  ])('of the word %s is %i', (word, number) => {
    expect(severityNumberOf(word)).toBe(number)
  })

  test.each([
    [0, 21],
    [1, 19],
    [2, 18],
    [3, 17],
    [4, 13],
    [5, 10],
    [6, 9],
    [7, 5],
    ['3', 17],
    ['0', 21],
  ])("of syslog's %o is %i", (level, number) => {
    expect(severityNumberOf(level)).toBe(number)
  })

  test.each([
    [10, 1],
    [19, 1],
    [20, 5],
    [30, 9],
    [35, 9],
    [40, 13],
    [50, 17],
    [59, 17],
    [60, 21],
    ['30', 9],
    [30n, 9],
  ])("of pino's %o is %i", (level, number) => {
    expect(severityNumberOf(level)).toBe(number)
  })

  test.each([
    '',
    'loud',
    'INFO5',
    'INFO1',
    '__proto__',
    8,
    9,
    61,
    -1,
    3.5,
    '1e1',
    null,
    undefined,
    true,
    {},
    10n ** 30n,
  ])('of %o is 0', (level) => {
    expect(severityNumberOf(level)).toBe(0)
  })
})
