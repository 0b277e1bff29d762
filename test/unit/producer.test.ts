import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseJson } from '../../src/models/json.ts'
import { ByteBudget } from '../../src/producer/byte-budget.ts'
import { encodeRecord } from '../../src/producer/encode-record.ts'
import { RecordBatch } from '../../src/producer/record-batch.ts'
import { createProducer } from '../../src/producer.ts'

test('integers past 2^53 are written exactly', () => {
  const { record } = encodeRecord({ startTimeUnixNano: 1_700_000_000_123_456_789n, n: -(2n ** 63n) }, 1000)
  expect(record?.json).toBe('{"startTimeUnixNano":1700000000123456789,"n":-9223372036854775808}')
})

test('NaN and the infinities are the strings of OTLP, and null stays null', () => {
  const { record } = encodeRecord({ a: Number.NaN, b: [Infinity, -Infinity], c: null, d: 'null' }, 1000)
  expect(record?.json).toBe('{"a":"NaN","b":["Infinity","-Infinity"],"c":null,"d":"null"}')
})

test('whatever is JSON comes back as it was, the slow way with a bigint too', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.bigInt({ min: 2n ** 60n }), (record, big) => {
      const plain = JSON.parse(JSON.stringify(record)) as unknown
      expect(JSON.parse(encodeRecord(record, 1e9).record?.json ?? '')).toEqual(plain)
      const slow = parseJson(encodeRecord({ list: [record, big] }, 1e9).record?.json ?? '').value
      expect((slow as { list: unknown[] }).list[1]).toBe(big)
    }),
  )
})

test.each([
  ['an array', [{ name: 'x' }]],
  ['null', null],
  ['a string', 'text'],
  ['undefined', undefined],
])('%s is no record', (_name, input) => {
  expect(encodeRecord(input, 1000).rejection).toMatchObject({ reason: 'wrong_type' })
})

test('a record that refers to itself is refused, not thrown', () => {
  const record: Record<string, unknown> = {}
  record.self = { record }
  expect(encodeRecord(record, 1000).rejection).toMatchObject({ reason: 'wrong_type' })
})

test('size counts UTF-8 bytes, and a record of exactly the limit passes', () => {
  const { record } = encodeRecord({ a: 'ä€𝄞' }, 17)
  expect(record?.bytes).toBe(Buffer.byteLength('{"a":"ä€𝄞"}'))
  expect(record?.bytes).toBe(17)
  expect(encodeRecord({ a: 'ä€𝄞' }, 16).rejection).toMatchObject({ reason: 'too_large' })
})

test('the predicted size of a batch is the size of its body', () => {
  const batch = new RecordBatch('logs')
  for (const json of ['{}', '{"a":"ä"}', '{"b":1}']) {
    const bytes = Buffer.byteLength(json)
    const predicted = batch.bodyBytesWith(bytes)
    batch.push(json, bytes)
    expect(Buffer.byteLength(batch.body())).toBe(predicted)
  }
})

test('no two batches share a key', () => {
  const keys = new Set(Array.from({ length: 1000 }, () => new RecordBatch('logs').key))
  expect(keys.size).toBe(1000)
})

test('bytes are given out first come, first served, and never more than there are', async () => {
  const budget = new ByteBudget(10)
  const order: string[] = []
  expect(budget.tryTake(8)).toBe(true)
  const big = budget.take(9).then(() => order.push('big'))
  const small = budget.take(1).then(() => order.push('small'))
  expect(budget.tryTake(1)).toBe(false)
  await Promise.resolve()
  expect(order).toEqual([])
  budget.giveBack(8)
  await Promise.all([big, small])
  expect(order).toEqual(['big', 'small'])
  expect(budget.used).toBe(10)
})

test('who waits for bytes can be turned away', async () => {
  const budget = new ByteBudget(10)
  await budget.take(10)
  const waiting = budget.take(1)
  budget.refuseWaiting(new Error('closed'))
  await expect(waiting).rejects.toThrow('closed')
  budget.giveBack(10)
  expect(budget.used).toBe(0)
})

test('every limit that is out of range is named', () => {
  const create = () =>
    createProducer({ url: 'redis://127.0.0.1:1', maxBatchRecords: 0, maxDelayMs: -1, maxInFlightBytes: 10 })
  expect(create).toThrow(/maxBatchRecords .*; maxDelayMs .*; maxInFlightBytes \(10\) must be at least/)
  expect(create).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
})

test('a producer needs a Redis', () => {
  expect(() => createProducer({})).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }))
})
