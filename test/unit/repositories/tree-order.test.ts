import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { treeOrder } from '../../../src/repositories/tree-order.ts'

/** `b<a` is a span b inside a. */
function ordered(...spans: string[]): string {
  const parsed = spans.map((text) => {
    const [spanId = '', parentSpanId = null] = text.split('<')
    return { spanId, parentSpanId }
  })
  return treeOrder(parsed)
    .map(({ span, depth }) => `${'-'.repeat(depth)}${span.spanId}`)
    .join(' ')
}

describe('the spans of a trace', () => {
  test('stand before what is inside them, siblings in the order of their start', () => {
    expect(ordered('a', 'b<a', 'c<a', 'd<b', 'e<c', 'f<b')).toBe('a -b --d --f -c --e')
  })

  test('may start before what they are inside of', () => {
    expect(ordered('b<a', 'c<b', 'a')).toBe('a -b --c')
  })

  test('stand at the top where their parent is missing', () => {
    expect(ordered('b<gone', 'c<b', 'd')).toBe('b -c d')
  })

  test('are all there where they are inside themselves', () => {
    expect(ordered('a<a', 'b<c', 'c<b', 'd<c')).toBe('a b -c --d')
  })

  test('are all there where two share an id', () => {
    expect(ordered('a', 'a', 'b<a')).toBe('a -b a')
  })
})

test('whatever is sent, each span is there once, and a parent before its children unless they go in a circle', () => {
  const id = fc.constantFrom(...'abcdefgh')
  const spans = fc.array(fc.record({ spanId: id, parentSpanId: fc.option(id) }), { maxLength: 30 })
  fc.assert(
    fc.property(spans, (list) => {
      const placed = treeOrder(list)
      expect(new Set(placed.map(({ span }) => span))).toEqual(new Set(list))
      expect(placed).toHaveLength(list.length)
      placed.forEach(({ depth }, index) => {
        expect(depth).toBeLessThanOrEqual((placed[index - 1]?.depth ?? -1) + 1)
      })
    }),
    { numRuns: 1000 },
  )
})

test('twenty thousand spans, one inside the other, take no time', () => {
  const spans = Array.from({ length: 20_000 }, (_, index) => ({
    spanId: `s${index}`,
    parentSpanId: index === 0 ? null : `s${index - 1}`,
  }))
  const startedMs = performance.now()
  expect(treeOrder(spans).at(-1)?.depth).toBe(19_999)
  const circle = spans.map((span) => ({ ...span, parentSpanId: span.parentSpanId ?? 's19999' }))
  expect(treeOrder(circle)).toHaveLength(20_000)
  expect(performance.now() - startedMs).toBeLessThan(2000)
})
