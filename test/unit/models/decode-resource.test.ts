import { describe, expect, test } from 'vitest'
import type { DecodeContext } from '../../../src/models/decode-context.ts'
import { MAX_INDEXED_TEXT_BYTES } from '../../../src/models/decode-fields.ts'
import { decodeScope, decodeServiceAndResource } from '../../../src/models/decode-resource.ts'
import { contextWith } from './decoding.ts'

function decode(fields: object, context: DecodeContext = contextWith()) {
  const { service, resource } = decodeServiceAndResource(fields as Record<string, unknown>, context)
  return { service, ...resource, reason: context.rejection?.reason }
}

describe('the service', () => {
  test('is unknown_service where none is named, and the resource says nothing of it', () => {
    expect(decode({})).toMatchObject({ service: 'unknown_service', attributes: {} })
    expect(decode({ service: '' })).toMatchObject({ service: 'unknown_service', attributes: {} })
    expect(decode({ resource: { 'service.name': '' } })).toMatchObject({ service: 'unknown_service' })
    expect(decode({ resource: { 'service.name': 7 } })).toMatchObject({ service: 'unknown_service' })
  })

  test('named by the shorthand becomes service.name and wins over it', () => {
    const resource = { attributes: { 'service.name': 'old', 'host.name': 'h' } }
    expect(decode({ service: 'api', resource })).toMatchObject({
      service: 'api',
      attributes: { 'service.name': 'api', 'host.name': 'h' },
    })
    expect(resource.attributes['service.name']).toBe('old')
    expect(decode({ service: 'api' }).attributes).toEqual({ 'service.name': 'api' })
  })

  test('is taken from the resource, whose attributes stay the object they were', () => {
    const attributes = { 'service.name': 'api' }
    const decoded = decode({ service: 'api', resource: { attributes } })
    expect(decoded.service).toBe('api')
    expect(decoded.attributes).toBe(attributes)
    expect(decode({ resource: { attributes } }).service).toBe('api')
  })

  test('unknown_service given as the shorthand is no name', () => {
    expect(decode({ service: 'unknown_service' }).attributes).toEqual({})
    const resource = { 'service.name': 'api' }
    expect(decode({ service: 'unknown_service', resource }).service).toBe('api')
  })

  test('must fit an index, wherever it is named', () => {
    const fits = 'x'.repeat(MAX_INDEXED_TEXT_BYTES)
    expect(decode({ service: fits }).reason).toBeUndefined()
    expect(decode({ service: `${fits}x` }).reason).toBe('too_large')
    expect(decode({ service: '€'.repeat(342) }).reason).toBe('too_large')
    expect(decode({ resource: { 'service.name': fits } }).reason).toBeUndefined()
    expect(decode({ resource: { 'service.name': `${fits}x` } }).reason).toBe('too_large')
  })

  test('must be text', () => {
    expect(decode({ service: 42 }).reason).toBe('wrong_type')
  })
})

describe('a resource', () => {
  test.each([
    [
      'attributes and a schema',
      { attributes: { a: 1 }, schemaUrl: 'u' },
      { attributes: { a: 1 }, schemaUrl: 'u' },
    ],
    [
      "OTLP's Resource",
      { attributes: [{ key: 'a', value: { intValue: 1 } }], droppedAttributesCount: 2 },
      { attributes: { a: 1 } },
    ],
    [
      'a plain object',
      { a: 1, schemaUrl: 'u' },
      { attributes: { a: 1, schemaUrl: 'u' }, schemaUrl: undefined },
    ],
    [
      'a plain object with an attribute called attributes',
      { attributes: {}, a: 1 },
      { attributes: { attributes: {}, a: 1 } },
    ],
    ['a plain object whose attributes is text', { attributes: 'x' }, { attributes: { attributes: 'x' } }],
    ['a KeyValue list', [{ key: 'a', value: { boolValue: true } }], { attributes: { a: true } }],
    ['nothing', null, { attributes: {} }],
  ])('may be %s', (_name, resource, expected) => {
    expect(decode({ resource })).toMatchObject(expected)
  })

  test('keeps __proto__ as an attribute when the service is added', () => {
    const { attributes } = decode({ service: 'api', resource: JSON.parse('{"__proto__":{"x":1}}') })
    expect(JSON.stringify(attributes)).toBe('{"__proto__":{"x":1},"service.name":"api"}')
  })

  test('is text only in the flat form, where it is JSON', () => {
    const flat = contextWith({ flat: true })
    expect(decode({ resource: '{"attributes":{"a":1}}' }, flat).attributes).toEqual({ a: 1 })
    expect(decode({ resource: 'a=1' }, contextWith({ flat: true })).reason).toBe('not_json')
    expect(decode({ resource: '{}' }).reason).toBe('wrong_type')
  })
})

describe('a scope', () => {
  const scope = (fields: object) => decodeScope(fields as Record<string, unknown>, contextWith())

  test('has name, version, attributes and schema', () => {
    const given = { name: 'lib', version: '1', attributes: { a: 1 }, schemaUrl: 'u' }
    expect(scope({ scope: given })).toEqual(given)
  })

  test('takes an empty name or version for none, as OTLP does', () => {
    expect(scope({ scope: { name: '', version: '' } })).toEqual(scope({}))
  })

  test('takes the schema that OTLP writes beside it', () => {
    expect(scope({ schemaUrl: 'u' }).schemaUrl).toBe('u')
    expect(scope({ scope: { name: 'lib' }, schemaUrl: 'u' })).toMatchObject({ name: 'lib', schemaUrl: 'u' })
    expect(scope({ scope: { schemaUrl: 'own' }, schemaUrl: 'u' }).schemaUrl).toBe('own')
  })

  test.each([['lib'], [[]], [7], [{ name: 7 }], [{ attributes: 7 }]])('is not %o', (value) => {
    const context = contextWith()
    decodeScope({ scope: value }, context)
    expect(context.rejection?.reason).toBe('wrong_type')
  })
})
