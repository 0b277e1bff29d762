import fc from 'fast-check'
import { stringify } from 'lossless-json'
import { describe, expect, test } from 'vitest'
import { decodeEntry } from '../../../src/ingest/decode-entry.ts'
import type { Attributes } from '../../../src/models/attributes.ts'
import { parsedAttributes } from '../../../src/models/decode-attributes.ts'
import { genAiColumns, splitContent } from '../../../src/models/gen-ai.ts'
import { GEN_AI_SOURCES } from '../../../src/models/gen-ai-sources.ts'
import { parseJson } from '../../../src/models/json.ts'
import { RecordScanner } from '../../../src/models/record-scanner.ts'
import type { Span } from '../../../src/models/span.ts'
import { TELEMETRY_SIGNALS } from '../../../src/models/telemetry-signal.ts'
import { UnparsedObject } from '../../../src/models/unparsed-object.ts'
import { RecordDecoder } from '../../../src/writers/record-decoder.ts'
import { anyJson, anyText } from './arbitrary-json.ts'
import { NOW, SPAN_ID, TRACE_ID } from './decoding.ts'
import { hostileJson } from './hostile-json.ts'
import { LOOSE_RECORDS } from './loose-records.ts'

const scanner = new RecordScanner(32)

const jsonOf = (value: unknown) => stringify(value) ?? 'null'

/** What the scanner says that a text holds, all of it parsed. */
function scanned(json: Buffer): unknown {
  const found = scanner.scan(json)
  if (found === undefined) return undefined
  const records = found.records.map((fields) =>
    Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [
        key,
        value instanceof UnparsedObject ? value.parse() : value,
      ]),
    ),
  )
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

/** JSON as other programs write it: with white space, letters as escapes, numbers in other words. */
function rewritten(text: string, how: number): string {
  switch (how % 4) {
    case 0:
      return text.replaceAll(/([:,{[])(?=["{[\dtfn-])/g, '$1 \n\t')
    case 1:
      return text.replaceAll(/(?<!\\)é|(?<=[a-z])e(?=[a-z])/g, '\\u0065')
    case 2:
      return text.replaceAll(/([:,[])(\d{1,6})(?=[,}\]])/g, '$1$2.0')
    default:
      return text
  }
}

describe('what the scanner reads', () => {
  test('is what parsing would find, or nothing: any JSON', () => {
    fc.assert(
      fc.property(hostileJson, fc.nat(), (value, how) => {
        const text = rewritten(jsonOf(value), how)
        const found = scanned(Buffer.from(text))
        if (found !== undefined) expect(found).toEqual(parseJson(text).value)
      }),
      { numRuns: 3000 },
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
      { numRuns: 5000 },
    )
  })

  test.each(TELEMETRY_SIGNALS)('is decoded to the same record as what was parsed: %s', (signal) => {
    const decoder = new RecordDecoder<{ attributes: Attributes | UnparsedObject }>(signal)
    const parsing = new RecordDecoder<{ attributes: Attributes | UnparsedObject }>(signal)
    parsing.scan = () => undefined
    const withNames = fc.dictionary(
      fc.oneof(fc.constantFrom(...GEN_AI_SOURCES.keys(), 'gen_ai.prompt', 'input.value'), anyText),
      fc.oneof(anyJson, fc.nat().map(String)),
      { noNullPrototype: true },
    )
    const record = fc
      .tuple(LOOSE_RECORDS[signal], fc.option(withNames))
      .map(([loose, attributes]) => (attributes === null ? loose : { ...(loose as object), attributes }))
    fc.assert(
      fc.property(fc.oneof(record, fc.array(record, { maxLength: 3 })), fc.nat(), (value, how) => {
        const json = Buffer.from(rewritten(jsonOf(value), how))
        const entry = {
          id: { ms: NOW / 1_000_000n, seq: 0n },
          fields: [Buffer.from('json'), json],
          bytes: json.length,
        }
        const nowMs = Number(NOW / 1_000_000n)
        const outcome = (by: typeof decoder) => {
          const { records, decodeAgain, ...rest } = decodeEntry(entry, by, by.context(nowMs))
          expect(decodeAgain?.().records, 'decoded again').toEqual(records)
          return { ...rest, records: records.map(inTheOpen) }
        }
        expect(outcome(decoder)).toEqual(outcome(parsing))
      }),
      { numRuns: 1000 },
    )
  })
})

/** A record with all that its row says of its attributes. */
function inTheOpen(record: { readonly attributes: Attributes | UnparsedObject }): unknown {
  const { attributes, content } = splitContent(record.attributes)
  return {
    ...record,
    attributes: parsedAttributes(attributes),
    content: content && parsedAttributes(content),
    columns: genAiColumns(record.attributes),
  }
}

const SPAN = { traceId: TRACE_ID, spanId: SPAN_ID, name: 'chat', startTimeUnixNano: String(NOW) }

/** The attributes of a span, as they come out of the scanner. */
function attributesOf(json: string): unknown {
  const text = JSON.stringify(SPAN).replace('}', `,"attributes":${json}}`)
  return scanner.scan(Buffer.from(text))?.records[0]?.attributes
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

  test('and are stored as such: nothing of a usual span is parsed', () => {
    const decoder = new RecordDecoder<Span>('traces')
    const { records } = decodeEntry(
      {
        id: { ms: NOW / 1_000_000n, seq: 0n },
        fields: [
          Buffer.from('json'),
          Buffer.from(JSON.stringify({ ...SPAN, attributes: { 'gen_ai.request.model': 'm' } })),
        ],
        bytes: 300,
      },
      decoder,
      decoder.context(Number(NOW / 1_000_000n)),
    )
    expect(records[0]?.attributes).toBeInstanceOf(UnparsedObject)
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
    ['__proto__ as a field', '{"__proto__":1}'],
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
    expect(scanner.scan(Buffer.from(json))).toBeUndefined()
  })

  test('bytes that are no UTF-8', () => {
    expect(scanner.scan(Buffer.from('{"a":"\xff"}', 'latin1'))).toBeUndefined()
  })

  test('but of 32 levels it is', () => {
    expect(scanned(Buffer.from(`{"a":${nested(32)}}`))).toBeDefined()
  })
})

test('names made to share a slot are told apart, and cost no memory', () => {
  for (let n = 0; n < 50_000; n += 1) {
    const name = `key-${n}`
    const json = Buffer.from(`{"attributes":{"${name}":${n},"other":1,"${name}x":2}}`)
    expect(scanned(json)).toEqual({ attributes: { [name]: n, other: 1, [`${name}x`]: 2 } })
  }
})
