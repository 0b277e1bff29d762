import { describe, expect, test } from 'vitest'
import { waterfall } from '../../../../src/commands/query/waterfall.ts'
import type { WaterfallSpan } from '../../../../src/commands/query/waterfall-span.ts'

const plain = (text: string) => text
const MS = 1_000_000n

function span(
  name: string,
  depth: number,
  [fromMs, toMs]: [number, number?],
  more: object = {},
): WaterfallSpan {
  return {
    spanId: name,
    parentSpanId: undefined,
    name,
    service: 'api',
    depth,
    startNs: BigInt(fromMs) * MS,
    durationNs: toMs === undefined ? undefined : BigInt(toMs - fromMs) * MS,
    isError: false,
    detail: '',
    ...more,
  }
}

function draw(spans: readonly WaterfallSpan[], width = 70, durationMs = 1000): string[] {
  const range = { start: 0n, duration: durationMs * 1e6 }
  const text = [...waterfall(spans, range, { width, paint: plain })].join('')
  return text.trimEnd().split('\n')
}

describe('a waterfall', () => {
  test('indents spans by depth, and draws each where it was in the trace', () => {
    const lines = draw(
      [span('root', 0, [0, 1000]), span('half', 1, [500, 1000]), span('short', 2, [500, 501])],
      50,
    )
    expect(lines).toEqual([
      'SPAN       SERVICE  DURATION  0 … 1.00 s',
      'root       api        1.00 s  ████████████████████',
      '  half     api        500 ms            ██████████',
      '    short  api       1.00 ms            █',
    ])
  })

  test('is as wide as the terminal at most, whatever is in it', () => {
    const long = 'x'.repeat(400)
    const spans = [span(long, 0, [0, 1000], { service: long, detail: long }), span('b', 1, [0, 10])]
    for (const width of [80, 100, 137, 250])
      for (const line of draw(spans, width)) expect(line.length).toBeLessThanOrEqual(width)
  })

  test('marks errors, says which parent is missing and which span has no end', () => {
    const lines = draw(
      [
        span('lost', 0, [0, 100], { parentSpanId: 'gone' }),
        span('bad', 1, [50], { parentSpanId: 'lost', isError: true, detail: 'timeout' }),
      ],
      100,
    )
    expect(lines[1]).toMatch(/^lost +api +100 ms +█+ +parent gone is missing$/)
    expect(lines[2]).toMatch(/^ {2}✗ bad +api +no end +█ +timeout$/)
  })

  test('says how deep a span is that has no room to be indented so far', () => {
    const spans = Array.from({ length: 300 }, (_, depth) => span(`s${depth}`, depth, [0, 1]))
    const lines = draw(spans, 80)
    expect(lines.at(-1)).toMatch(/^ +\[299\] s299 /)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
  })

  test('of a trace that takes no time, or whose spans lie outside of it, is still drawn', () => {
    expect(draw([span('a', 0, [0, 0])], 70, 0)[1]).toContain('█')
    const lines = draw([span('early', 0, [-50, 10]), span('late', 0, [2000, 9000])], 60)
    for (const line of lines.slice(1)) expect(line).toMatch(/█/)
  })
})
