import fc from 'fast-check'
import { stringify } from 'lossless-json'
import { describe, expect, test } from 'vitest'
import { decodeEntry } from '../../../src/ingest/decode-entry.ts'
import { GEN_AI_SOURCES } from '../../../src/models/gen-ai-sources.ts'
import { parseJson } from '../../../src/models/json.ts'
import { NamePattern } from '../../../src/models/name-pattern.ts'
import { PriceList } from '../../../src/models/prices/price-list.ts'
import { isScanned } from '../../../src/models/scan/scanned-record.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../../src/models/telemetry-signal.ts'
import { Partitions } from '../../../src/retention/partitions.ts'
import { BatchRows, type EncodedBatch } from '../../../src/writers/batch-rows.ts'
import { CopyBuffers } from '../../../src/writers/copy-buffers.ts'
import { InternedContent } from '../../../src/writers/interned-content.ts'
import { LOG_RECORD_TABLE } from '../../../src/writers/log-record-table.ts'
import { METRIC_POINT_TABLE } from '../../../src/writers/metric-point-table.ts'
import { RecordDecoder } from '../../../src/writers/record-decoder.ts'
import { createSpanTable } from '../../../src/writers/span-table.ts'
import type { TelemetryTable } from '../../../src/writers/telemetry-table.ts'
import { anyJson } from '../models/arbitrary-json.ts'
import { NOW, SPAN_ID, TRACE_ID } from '../models/decoding.ts'
import { LOOSE_RECORDS } from '../models/loose-records.ts'
import { rewritten } from '../models/rewritten-json.ts'

const NOW_MS = Number(NOW / 1_000_000n)
const rates = {
  input: 2_500_000,
  output: 10_000_000,
  cachedInput: 1_250_000,
  cacheCreation: 3_125_000,
  reasoning: 7,
}
const PRICES = new PriceList([
  {
    models: ['stop', '*a*'].map((pattern) => new NamePattern(pattern)),
    provider: undefined,
    prices: [{ from: -Infinity, rates, above: undefined }],
  },
])
const TABLES: Record<TelemetrySignal, TelemetryTable<object>> = {
  traces: createSpanTable(PRICES) as unknown as TelemetryTable<object>,
  metrics: METRIC_POINT_TABLE as unknown as TelemetryTable<object>,
  logs: LOG_RECORD_TABLE as unknown as TelemetryTable<object>,
}
const JSON_COLUMNS = new Set(['attributes', 'events', 'links', 'exemplars'])

/** One of each for all that is sent: what they remember is put to the test, too. */
const SCANNING = decoders()
const PARSING = decoders()
for (const decoder of Object.values(PARSING)) decoder.scan = () => undefined

function decoders(): Record<TelemetrySignal, RecordDecoder<object>> {
  return {
    traces: new RecordDecoder('traces'),
    metrics: new RecordDecoder('metrics'),
    logs: new RecordDecoder('logs'),
  }
}

const partitions = new Partitions({ pool: undefined as never, interval: 'day' })

/** All that becomes of an entry of JSON, its rows field by field; those of jsonb by what they say. */
function outcomeOf(signal: TelemetrySignal, json: Buffer, decoder: RecordDecoder<object>) {
  const fields = [Buffer.from('json'), json]
  const entry = { id: { ms: BigInt(NOW_MS), seq: 3n }, fields, bytes: json.length }
  const { origin, records, ...decoded } = decodeEntry(entry, decoder, decoder.context(NOW_MS))
  const rows = new BatchRows(
    { table: TABLES[signal], content: new InternedContent(), partitions },
    new CopyBuffers(100, 0),
  )
  rows.add({ ...decoded, records })
  const encoded = rows.finish({ entries: [] } as never)
  return {
    decoded,
    again: origin?.decodeAgain(),
    scanned: records.filter(isScanned).length,
    copies: encoded.copies.map(fieldsOf),
    starts: encoded.partitionStarts,
    content: encoded.content.map(({ values, ...row }) => ({ ...row, values: values.map(said) })),
  }
}

function fieldsOf({ table, columns, encoder, positions }: EncodedBatch<object>['copies'][number]) {
  const rows = positions.map((position, row) => {
    const bytes = encoder.slice(row, row + 1)
    expect(bytes.readInt16BE(0)).toBe(columns.length)
    let at = 2
    const fields = columns.map((column) => {
      const length = bytes.readInt32BE(at)
      at += 4 + Math.max(0, length)
      if (length < 0) return null
      const value = bytes.subarray(at - length, at)
      return JSON_COLUMNS.has(column) ? said(value.toString('utf8', 1)) : value.toString('hex')
    })
    expect(at).toBe(bytes.length)
    return { position, fields }
  })
  return { table, rows }
}

/** JSON as jsonb understands it. */
function said(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith('{') ? parseJson(value).value : value
}

/** Text and values that need no care. */
const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const value = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 2, arbitrary: fc.nat() },
  fc.nat().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom<unknown>('stop', ['stop'], '["a","b"]', '', true, null, { a: [1, { b: 'c' }] }, 2n ** 60n),
)
const attributes = fc.dictionary(
  fc.oneof(
    fc.constantFrom(...GEN_AI_SOURCES.keys(), 'gen_ai.prompt', 'input.value', 'gen_ai.usage.cost'),
    text,
  ),
  fc.oneof({ weight: 200, arbitrary: value }, anyJson),
  { noNullPrototype: true },
)

/** Nearly always one of the first, now and then one of the others. */
function mostly(usual: fc.Arbitrary<unknown>, ...odd: unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...odd) })
}
const time = mostly(
  fc.bigInt({ min: NOW - 10n ** 12n, max: NOW + 10n ** 12n }).map(String),
  ...[NOW, '0', '', null, '2026-11-23T09:00:00Z', Number(NOW), String(2n ** 63n), '-5', `00${NOW}`],
)
const one = (...values: unknown[]) => fc.constantFrom(...values)

/** As the SDKs send it, here and there with something else: required fields, and those that some have. */
const SDK_FIELDS: Record<TelemetrySignal, readonly [Fields, Fields]> = {
  traces: [
    {
      traceId: mostly(one(TRACE_ID), TRACE_ID.toUpperCase(), '0'.repeat(32), `${TRACE_ID}0`),
      spanId: mostly(one(SPAN_ID), 'x'.repeat(16)),
      name: mostly(fc.oneof(text, one('chat')), 'é'.repeat(513)),
      startTimeUnixNano: time,
    },
    {
      parentSpanId: mostly(one(SPAN_ID, '', null), '0'.repeat(16)),
      endTimeUnixNano: time,
      kind: mostly(one('client', 'SPAN_KIND_SERVER', 3, '', null), 'odd'),
      status: mostly(one('ok', 2, { code: 'error', message: 'no' }, null), 'odd', '{"code":1}'),
      traceState: mostly(one('a=b', '', null), 7),
      flags: mostly(one(1, '1'), -1),
      events: mostly(one([], [{ name: 'first', attributes: { a: 1 } }], null), 'odd'),
      links: one([], [{ traceId: TRACE_ID, spanId: SPAN_ID, attributes: {} }]),
    },
  ],
  logs: [
    {},
    {
      timeUnixNano: time,
      observedTimeUnixNano: time,
      severityText: mostly(one('INFO', 'warn', '', null), 'é'.repeat(600)),
      severityNumber: mostly(one(9, 0, '17'), 99),
      level: mostly(one('error', 30, '30', null), {}),
      body: mostly(fc.oneof(text, one('said', '')), null, 1, { a: 1 }, { stringValue: 'x' }),
      message: mostly(one('said', ''), null, 1),
      eventName: mostly(one('event', '', null), 5),
      traceId: mostly(one(TRACE_ID, ''), '0'.repeat(32), 'odd'),
      spanId: mostly(one(SPAN_ID, null), '0'.repeat(16), 'odd'),
      flags: mostly(one(1, '1'), 2 ** 40),
      droppedAttributesCount: one(0, 4, null),
    },
  ],
  metrics: [
    {
      name: mostly(one('tokens', 'é'), '', 5),
      type: mostly(one('gauge', 'counter', 'sum'), 'histogram', 'summary', 'odd'),
      timeUnixNano: time,
      value: mostly(fc.oneof(fc.double(), fc.integer(), one('NaN', '1.5', 2 ** 60)), null, {}),
    },
    {
      startTimeUnixNano: time,
      unit: one('1', '', 's', null),
      description: one('d', ''),
      temporality: mostly(one('delta', 2, null), 'odd'),
      isMonotonic: one(true, 'false', null),
      asInt: one('12', 12),
      flags: one(0, 1),
      exemplars: mostly(one(null), [], [{ value: 1, timeUnixNano: String(NOW) }]),
    },
  ],
}
/** Points of histograms. */
const HISTOGRAM: readonly [Fields, Fields] = [
  { name: one('latency'), type: one('histogram', 'Histogram'), timeUnixNano: time, count: one(3, '3') },
  {
    sum: one(1.5, null, 'NaN'),
    min: one(0.5),
    explicitBounds: mostly(one([1, 2]), [2, 1]),
    bucketCounts: mostly(one(['1', 1, 1]), []),
    value: one(1),
    unit: one('s'),
  },
]

type Fields = Record<string, fc.Arbitrary<unknown>>

function usual([required, optional]: readonly [Fields, Fields]): fc.Arbitrary<object> {
  const source: Fields = {
    service: mostly(one('gateway', 'é', '', null, 'unknown_service'), 7),
    resource: mostly(one({ attributes: { host: 'a' } }, { host: 'a', 'service.name': 'x' }, {}, null), 'odd'),
    scope: mostly(one({ name: 's', version: '1' }, {}, null), 'odd'),
    schemaUrl: mostly(one('http://x', '', null), 5),
  }
  const given = { attributes: mostly(attributes, null, [], [{ key: 'a', value: { intValue: '1' } }], 5) }
  const shape: Fields = { ...required, ...given, ...optional, ...source }
  return fc.record(shape, { requiredKeys: [...Object.keys(required), 'attributes'], noNullPrototype: true })
}

describe.each(TELEMETRY_SIGNALS)('of %s, what is scanned has the rows of what is parsed', (signal) => {
  test('whatever was sent', { timeout: 60_000 }, () => {
    const record = fc.oneof(
      { weight: 30, arbitrary: usual(SDK_FIELDS[signal]) },
      ...(signal === 'metrics' ? [{ weight: 15, arbitrary: usual(HISTOGRAM) }] : []),
      LOOSE_RECORDS[signal],
      fc.tuple(LOOSE_RECORDS[signal], attributes).map(([loose, given]) => ({ ...loose, attributes: given })),
    )
    let scanned = 0
    fc.assert(
      fc.property(fc.oneof(record, fc.array(record, { maxLength: 3 })), fc.nat(), (value, how) => {
        const json = Buffer.from(rewritten(stringify(value) ?? '', how))
        const { scanned: count, ...outcome } = outcomeOf(signal, json, SCANNING[signal])
        const { scanned: none, ...expected } = outcomeOf(signal, json, PARSING[signal])
        scanned += count
        expect(none).toBe(0)
        expect(outcome).toEqual(expected)
      }),
      { numRuns: 800 },
    )
    expect(scanned, 'records that were scanned').toBeGreaterThan(20)
  })
})

test.each<[TelemetrySignal, object]>([
  [
    'traces',
    {
      traceId: TRACE_ID,
      spanId: SPAN_ID,
      parentSpanId: SPAN_ID,
      name: 'chat gpt',
      kind: 'client',
      startTimeUnixNano: String(NOW),
      endTimeUnixNano: String(NOW + 1_234_567_891n),
      status: { code: 'error', message: 'refused' },
      service: 'gateway',
      resource: { attributes: { host: 'é' } },
      scope: { name: 'openllm', version: '1' },
      attributes: {
        'gen_ai.request.model': 'm',
        'gen_ai.usage.input_tokens': 12,
        'gen_ai.response.finish_reasons': ['stop'],
        'gen_ai.usage.cost': 0.0125,
        'gen_ai.input.messages': 'said \n',
      },
    },
  ],
  [
    'logs',
    {
      timeUnixNano: String(NOW),
      severityText: 'WARN',
      body: 'it was said, é',
      service: 'agent',
      traceId: TRACE_ID,
      spanId: SPAN_ID,
      attributes: { a: 1.5 },
    },
  ],
  [
    'metrics',
    {
      name: 'tokens',
      type: 'histogram',
      unit: '1',
      timeUnixNano: String(NOW),
      count: 3,
      sum: 4.5,
      explicitBounds: [1, 2],
      bucketCounts: [1, 1, 1],
      attributes: { model: 'm' },
    },
  ],
])('what SDKs send is scanned: %s', (signal, record) => {
  const json = Buffer.from(JSON.stringify(record))
  // One that has seen nothing else: among names that it has no room for, it parses a name the first time.
  const { scanned, ...outcome } = outcomeOf(signal, json, decoders()[signal])
  expect(scanned).toBe(1)
  expect(outcome).toEqual({ ...outcomeOf(signal, json, PARSING[signal]), scanned: undefined })
})
