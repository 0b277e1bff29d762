import fc from 'fast-check'
import { stringify } from 'lossless-json'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../../src/models/json.ts'
import { ABSENT } from '../../../src/models/scan/json-scanner.ts'
import { RecordScanner } from '../../../src/models/scan/record-scanner.ts'
import type { RecordSlots } from '../../../src/models/scan/record-slots.ts'
import { SCANNED } from '../../../src/models/scan/scanned-record.ts'
import { UnparsedObject } from '../../../src/models/scan/unparsed-object.ts'
import { contextWith, NOW, SPAN_ID, TRACE_ID } from './decoding.ts'
import { hostileJson } from './hostile-json.ts'
import { LOOSE_RECORDS } from './loose-records.ts'
import { rewritten } from './rewritten-json.ts'

const FIELDS = [
  ...['service', 'resource', 'scope', 'attributes', 'traceId', 'spanId', 'name', 'kind', 'status', 'flags'],
  ...['startTimeUnixNano', 'time', 'value', 'body', 'events', 'links', 'unit', 'a', 'level', 'quantiles'],
]
const ATTRIBUTES = FIELDS.indexOf('attributes')

/** Says all that it sees of a record. */
const seeing = {
  fields: FIELDS,
  scan: (slots: RecordSlots) => {
    const seen: Record<string, unknown> = {}
    FIELDS.forEach((name, field) => {
      if (slots.kindOf(field) === ABSENT) return
      const { attributes } = slots
      seen[name] = field === ATTRIBUTES && attributes !== undefined ? attributes : slots.value(field)
      if (!(seen[name] instanceof UnparsedObject)) expect(slots.word(field)).toEqual(seen[name])
    })
    return { [SCANNED]: true as const, seen } as never
  },
}
const scanner = new RecordScanner(seeing, 32)

const jsonOf = (value: unknown) => stringify(value) ?? 'null'
const inTheOpen = (value: unknown) => (value instanceof UnparsedObject ? value.parse() : value)

/** What the scanner says that a text holds, all of it parsed. */
function scanned(json: Buffer): unknown {
  const found = scanner.scan(json, contextWith())
  if (found === undefined) return undefined
  const records = found.records.map((record) => {
    if (typeof record !== 'object' || record === null || !('seen' in record)) return record
    return Object.fromEntries(
      Object.entries(record.seen as object).map(([key, value]) => [key, inTheOpen(value)]),
    )
  })
  return found.isList ? records : records[0]
}

/** Text that was JSON, with some bytes changed, left out or repeated. */
const spoilt = fc
  .tuple(
    fc.oneof(hostileJson, fc.array(LOOSE_RECORDS.traces, { maxLength: 2 })).map((value) => jsonOf(value)),
    fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}[]",:\\u0de-.')))), {
      maxLength: 3,
    }),
    fc.constantFrom('change', 'remove', 'insert', 'cut'),
  )
  .map(([text, places, how]) => {
    const bytes = [...Buffer.from(text)]
    for (const [place, byte] of places) {
      const at = place % (bytes.length + 1)
      if (how === 'cut') bytes.length = at
      else bytes.splice(at, how === 'insert' ? 0 : 1, ...(how === 'remove' ? [] : [byte]))
    }
    return Buffer.from(bytes)
  })

describe('what the scanner reads', () => {
  test('is what parsing would find, or nothing: any JSON', () => {
    fc.assert(
      fc.property(hostileJson, fc.nat(), (value, how) => {
        const text = rewritten(jsonOf(value), how)
        const found = scanned(Buffer.from(text))
        if (found !== undefined) expect(found).toEqual(parseJson(text).value)
      }),
      { numRuns: 1000 },
    )
  })

  test('is what parsing would find, or nothing: text that is no JSON any more, or no UTF-8', () => {
    fc.assert(
      fc.property(spoilt, (bytes) => {
        const found = scanned(bytes)
        if (found === undefined) return
        const text = bytes.toString('utf8')
        expect(Buffer.from(text).equals(bytes), 'it is UTF-8').toBe(true)
        expect(found).toEqual(parseJson(text).value)
      }),
      { numRuns: 1500 },
    )
  })
})

const SPAN = { traceId: TRACE_ID, spanId: SPAN_ID, name: 'chat', startTimeUnixNano: String(NOW) }

/** The attributes of a span, as they come out of a scanner that has met no other keys: one that forgets a key for them parses the record. */
function attributesOf(json: string): unknown {
  const text = JSON.stringify(SPAN).replace('}', `,"attributes":${json}}`)
  const found = new RecordScanner(seeing, 32).scan(Buffer.from(text), contextWith())
  const record = found?.records[0] as Record<string, unknown>
  return ('seen' in record ? (record.seen as Record<string, unknown>) : record).attributes
}

describe('attributes stay the text they came as', () => {
  test.each([
    '{}',
    '{"a":1,"b":-2.5,"c":[true,false,null,{"d":"e"}]}',
    '{ "a" : 1.0 , "b" : 0.30000000000000004 }',
    '{"quote \\" and \\u00e9":"\\n\\\\ é 😀"}',
    '{"long":12345678901234567890}',
  ])('%s', (json) => {
    const attributes = attributesOf(json)
    expect(attributes).toBeInstanceOf(UnparsedObject)
    expect((attributes as UnparsedObject).text).toBe(json)
  })

  test.each([
    ['a repeated key', '{"a":1,"a":2}', { a: 2 }],
    ['a number with an exponent', '{"a":1e3}', { a: 1000 }],
    ['what a double reads as infinite', '{"a":[1e999]}', { a: [Infinity] }],
    ['minus zero', '{"a":-0}', { a: -0 }],
    ['an integer past 2^53 with a fraction', '{"a":12345678901234567.5}', { a: 12345678901234568 }],
  ])('unless they hold %s', (_, json, parsed) => {
    expect(attributesOf(json)).toEqual(parsed)
  })
})

describe('nothing is read of', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
  test.each([
    ['NUL', '{"a":"\\u0000"}'],
    ['half a surrogate pair', '{"a":"\\ud83d"}'],
    ['a surrogate pair in escapes', '{"a":"\\uD83D\\uDE00"}'],
    ['a control character', '{"a":"\n"}'],
    ['33 levels', `{"a":${nested(33)}}`],
    ['a comma too many', '{"a":1,}'],
    ['a comma too many in attributes', '{"attributes":{"a":1,}}'],
    ['a leading zero', '{"a":01}'],
    ['a bare point', '{"a":1.}'],
    ['a word that is none', '{"a":nul}'],
    ['two values', '{} {}'],
    ['a list of something else', '[{},1]'],
    ['no record', '1'],
    ['nothing', ''],
    ['an end in the middle', '{"a":'],
  ])('%s', (_, json) => {
    expect(scanner.scan(Buffer.from(json), contextWith())).toBeUndefined()
  })

  test('bytes that are no UTF-8', () => {
    expect(scanner.scan(Buffer.from('{"a":"\xff"}', 'latin1'), contextWith())).toBeUndefined()
  })

  test('but of 32 levels it is', () => {
    expect(scanned(Buffer.from(`{"a":${nested(32)}}`))).toBeDefined()
  })
})

test('hundreds of names that differ in their last letters are all remembered', () => {
  const many = new RecordScanner(seeing, 32)
  const names = Array.from({ length: 500 }, (_, n) => `"app.attribute_${n}":${n}`)
  const json = Buffer.from(`{"attributes":{${names.join()}}}`)
  many.scan(json, contextWith())
  expect(many.scan(json, contextWith())?.records).toMatchObject([
    { seen: { attributes: expect.any(UnparsedObject) } },
  ])
})

test('names made to share a slot are told apart, and cost no memory', () => {
  for (let n = 0; n < 6_000; n += 1) {
    const name = `key-${n}`
    const json = Buffer.from(`{"attributes":{"${name}":${n},"other":1,"${name}x":2}}`)
    expect(scanned(json)).toEqual({ attributes: { [name]: n, other: 1, [`${name}x`]: 2 } })
  }
})
