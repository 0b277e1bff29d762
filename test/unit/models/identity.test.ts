import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Attributes } from '../../../src/models/attributes.ts'
import type { MetricDefinition } from '../../../src/models/data-point.ts'
import {
  canonicalMetric,
  canonicalResource,
  canonicalScope,
  metricIdentity,
  resourceIdentity,
  scopeIdentity,
  seriesIdentity,
} from '../../../src/models/identity.ts'
import { anyJson, anyText } from './arbitrary-json.ts'

const METRIC: MetricDefinition = {
  name: 'm',
  type: 'counter',
  unit: 's',
  description: 'd',
  temporality: 'delta',
  isMonotonic: true,
}

const resource = (attributes: Attributes, schemaUrl?: string) => ({ attributes, schemaUrl })

describe('an identity', () => {
  test('has the canonical text and the id that stored rows already have', () => {
    // Fixed for ever: these ids are in databases. A change of either needs a new version and a migration.
    expect(resourceIdentity(resource({ b: [1, { d: null, c: 2n ** 60n }], a: 'ä' }, 'u'))).toEqual({
      canonical: '1:[{"a":"ä","b":[1,{"c":1152921504606846976,"d":null}]},"u"]',
      id: 2215354643466360334n,
    })
    expect(scopeIdentity({ name: 'lib', version: undefined, attributes: {}, schemaUrl: undefined })).toEqual({
      canonical: '1:["lib",null,{},null]',
      id: -8672817886597529078n,
    })
    expect(metricIdentity(METRIC)).toEqual({
      canonical: '1:["m","counter","s","d","delta",true]',
      id: 1637058989384172301n,
    })
    expect(
      seriesIdentity({ metricId: -1n, resourceId: 2n, scopeId: 3n, attributes: { model: 'm' } }),
    ).toEqual({
      canonical: '1:["-1","2","3",{"model":"m"}]',
      id: 1567344051029402217n,
    })
  })

  test('does not depend on the order of keys, however deep', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed)
      if (typeof value !== 'object' || value === null) return value
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([key, member]) => [key, reversed(member)]),
      )
    }
    fc.assert(
      fc.property(fc.dictionary(anyText, anyJson, { noNullPrototype: true }), (attributes) => {
        const first = canonicalResource(resource(attributes as Attributes))
        expect(canonicalResource(resource(reversed(attributes) as Attributes))).toBe(first)
      }),
    )
  })

  test.each<[string, Attributes, Attributes]>([
    ['a number and its text', { a: 1 }, { a: '1' }],
    ['null and nothing', { a: null }, {}],
    ['an empty list and an empty object', { a: [] }, { a: {} }],
    ['the order of a list', { a: [1, 2] }, { a: [2, 1] }],
    ['a key that ends where another goes on', { 'a":1,"b': 2 }, { a: 1, b: 2 }],
    ['two integers past 2^53', { a: 9007199254740993n }, { a: 9007199254740994n }],
  ])('tells %s apart', (_name, one, other) => {
    expect(resourceIdentity(resource(one)).id).not.toBe(resourceIdentity(resource(other)).id)
  })

  test('of a metric changes with each part of its definition', () => {
    const changes: Partial<MetricDefinition>[] = [
      { name: 'n' },
      { type: 'updowncounter' },
      { unit: undefined },
      { description: undefined },
      { temporality: 'cumulative' },
      { isMonotonic: false },
    ]
    const texts = changes.map((change) => canonicalMetric({ ...METRIC, ...change }))
    expect(new Set([...texts, canonicalMetric(METRIC)]).size).toBe(changes.length + 1)
  })

  test('of a scope changes with each part of it', () => {
    const scope = { name: 'n', version: 'v', attributes: {}, schemaUrl: 's' }
    const changes = [{ name: 'v' }, { version: 'n' }, { attributes: { a: 1 } }, { schemaUrl: undefined }]
    const texts = changes.map((change) => canonicalScope({ ...scope, ...change }))
    expect(new Set([...texts, canonicalScope(scope)]).size).toBe(changes.length + 1)
  })

  test('of a series changes with each of its ids', () => {
    const series = { metricId: 1n, resourceId: 1n, scopeId: 1n, attributes: {} }
    const changes = [{}, { metricId: 2n }, { resourceId: 2n }, { scopeId: 2n }, { attributes: { a: 1 } }]
    const ids = changes.map((change) => seriesIdentity({ ...series, ...change }).id)
    expect(new Set(ids).size).toBe(changes.length)
  })

  test('is a signed 64-bit integer, half of them negative', () => {
    const ids = Array.from({ length: 200 }, (_, i) => resourceIdentity(resource({ i })).id)
    for (const id of ids) expect(BigInt.asIntN(64, id)).toBe(id)
    const negative = ids.filter((id) => id < 0n).length
    expect(negative).toBeGreaterThan(50)
    expect(negative).toBeLessThan(150)
  })
})
