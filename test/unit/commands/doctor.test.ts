import { describe, expect, test } from 'vitest'
import { judgeClock } from '../../../src/commands/doctor/clock-findings.ts'
import { formatFindings } from '../../../src/commands/doctor/format-findings.ts'
import { findNode } from '../../../src/commands/doctor/node-finding.ts'

describe('clocks', () => {
  test.each([
    [0, 1, 'ok', '0 ms ahead of this machine'],
    [-900, 1, 'ok', '900 ms behind this machine'],
    [1002, 1, 'warn', '1002 ms ahead of this machine'],
    [-299_000, 10, 'warn', '299000 ms behind this machine'],
    [-301_000, 10, 'fail', '301000 ms behind this machine'],
    // A slow connection is no wrong clock.
    [1500, 600, 'ok', '1500 ms ahead of this machine'],
  ])('%d ms, known to %d ms, is %s', (aheadMs, uncertaintyMs, level, found) => {
    expect(judgeClock('Clock of Redis', { aheadMs, uncertaintyMs })).toMatchObject({ level, found })
  })
})

test.each([
  ['20.19.0', 'ok'],
  ['20.18.3', 'fail'],
  ['18.20.0', 'fail'],
  ['22.1.0', 'ok'],
])('Node.js %s is %s', (version, level) => {
  expect(findNode(version).level).toBe(level)
})

test('findings are aligned, with what to do below, and counted', () => {
  const text = formatFindings([
    { level: 'ok', check: 'A', found: 'fine' },
    { level: 'fail', check: 'Longer', found: 'off', advice: 'Turn it on.' },
  ])
  expect(text).toBe(
    'ok     A       fine\nfail   Longer  off\n               Turn it on.\n\n1 ok, 0 warnings, 1 failed\n',
  )
})
