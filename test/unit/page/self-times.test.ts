import { expect, test } from 'vitest'
import { selfTimes } from '../../../src/page/trace/self-times.ts'
import { serviceHues } from '../../../src/page/trace/service-hues.ts'

const span = (spanId: string, parentSpanId: string | undefined, startNs: number, endNs: number) => ({
  spanId,
  startNs,
  endNs,
  ...(parentSpanId !== undefined && { parentSpanId }),
})

test('the time of a span by itself is what no child takes', () => {
  const spans = [
    span('root', undefined, 0, 100),
    span('a', 'root', 10, 40),
    span('a1', 'a', 10, 20),
    span('b', 'root', 50, 90),
  ]
  expect(selfTimes(spans)).toEqual([30, 20, 10, 40])
})

test('children that run at once count once, and what is outside of their parent not at all', () => {
  const spans = [
    span('root', undefined, 10, 100),
    span('a', 'root', 0, 40),
    span('b', 'root', 20, 60),
    span('c', 'root', 30, 50),
    span('late', 'root', 90, 200),
    span('self', 'self', 0, 5),
  ]
  expect(selfTimes(spans)[0]).toBe(30)
  expect(selfTimes(spans)[5]).toBe(5)
})

test('no two services of a trace have one colour while there are enough', () => {
  const services = ['agent', 'gateway', 'retriever', 'tools', 'a', 'b', 'c', 'd']
  const hueOf = serviceHues(services)
  expect(new Set(services.map(hueOf)).size).toBe(8)
  expect(serviceHues([...services].reverse())('agent')).toBe(hueOf('agent'))
  expect(serviceHues([...services, 'e'])('e')).toMatch(/^hue-\d$/)
})
