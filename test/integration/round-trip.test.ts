import fc from 'fast-check'
import { stringify as stringifyLossless } from 'lossless-json'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseJson } from '../../src/models/json.ts'
import {
  arbitraryDataPoint,
  arbitraryFlatLogRecord,
  arbitraryFlatSpan,
  arbitraryLogRecord,
  arbitrarySpan,
} from '../helpers/arbitrary-records.ts'
import { canonical } from '../helpers/canonical.ts'
import { eventually } from '../helpers/eventually.ts'
import { startTestService, type TestService } from '../helpers/test-service.ts'

let test: TestService
let run = 0

beforeAll(async () => {
  test = await startTestService({ BATCH_MAX_AGE_MS: '5' })
})

afterAll(() => test?.close())

async function readBack(path: string, expected: number): Promise<string[]> {
  return eventually(
    async () => {
      const lines = (await (await test.get(path)).text()).split('\n').filter((line) => line !== '')
      expect(lines).toHaveLength(expected)
      return lines.map((line) => canonical(parseJson(line).value)).sort()
    },
    { timeoutMs: 5000 },
  )
}

/** Sends the records as one entry, or one each, and expects them back. */
async function expectSame(stream: string, path: string, records: readonly object[]): Promise<void> {
  const send = (value: unknown) =>
    test.redis.xadd(`${test.prefix}:${stream}`, '*', 'json', stringifyLossless(value) ?? '')
  if (records.length % 2 === 0) await send(records)
  else await Promise.all(records.map(send))
  expect(await readBack(path, records.length)).toEqual(records.map(canonical).sort())
}

const RUNS = { numRuns: 25, endOnFailure: true }
const SEVERITY_NUMBERS: Record<string, number> = { debug: 5, info: 9, warn: 13, error: 17 }

/** Checks a property of lists of records, each run with a service of its own. */
async function check<T extends object>(
  record: fc.Arbitrary<T>,
  property: (records: readonly T[], service: string) => Promise<void>,
): Promise<void> {
  const records = fc.array(record, { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(records, async (generated) => {
      run += 1
      const service = `round trip ${run}`
      await property(
        generated.map((each) => withService(each, service)),
        service,
      )
    }),
    RUNS,
  )
}

function withService<T extends object>(record: T, service: string): T {
  const { resource } = record as { resource?: { attributes: object } }
  const attributes = { ...resource?.attributes, 'service.name': service }
  return { ...record, service, ...(resource && { resource: { ...resource, attributes } }) }
}

const ofService = (path: string, service: string) =>
  `${path}?format=ndjson&service=${encodeURIComponent(service)}`

describe('a record is read back as it was sent, in normal form:', () => {
  it('spans in json entries', () =>
    check(arbitrarySpan(), (records, service) =>
      expectSame('traces', ofService('/api/v1/spans', service), records),
    ))

  it('log records in json entries', () =>
    check(arbitraryLogRecord(), (records, service) =>
      expectSame('logs', ofService('/api/v1/logs', service), records),
    ))

  it('data points of every metric type in json entries', () =>
    check(arbitraryDataPoint('a.metric'), (records, service) =>
      expectSame('metrics', ofService('/api/v1/metrics/a.metric/points', service), records),
    ))

  it('log records in flat entries, unknown fields as attributes of text', () =>
    check(arbitraryFlatLogRecord(), async (records, service) => {
      await Promise.all(
        records.map((fields) =>
          test.redis.xadd(`${test.prefix}:logs`, '*', ...Object.entries(fields).flat()),
        ),
      )
      const expected = records.map(({ service: name, timeUnixNano, level = '', message, ...attributes }) => ({
        timeUnixNano,
        severityNumber: SEVERITY_NUMBERS[level],
        severityText: level,
        body: message,
        attributes,
        service: name,
        resource: { attributes: { 'service.name': name } },
        scope: { attributes: {} },
      }))
      expect(await readBack(ofService('/api/v1/logs', service), records.length)).toEqual(
        expected.map(canonical).sort(),
      )
    }))

  it('spans and data points in flat entries, every value as text', () =>
    check(arbitraryFlatSpan(), async (records, service) => {
      const point = {
        name: 'flat.metric',
        type: 'gauge',
        value: '12.5',
        time: String(Date.now()),
        service,
      }
      await test.redis.xadd(`${test.prefix}:metrics`, '*', ...Object.entries(point).flat())
      await Promise.all(
        records.map((fields) =>
          test.redis.xadd(`${test.prefix}:traces`, '*', ...Object.entries(fields).flat()),
        ),
      )
      const expected = records.map(({ 'x-key': key, status, ...span }) => ({
        ...span,
        status: { code: status },
        attributes: { 'x-key': key },
        events: [],
        links: [],
        resource: { attributes: { 'service.name': service } },
        scope: { attributes: {} },
      }))
      expect(await readBack(ofService('/api/v1/spans', service), records.length)).toEqual(
        expected.map(canonical).sort(),
      )
      const [read = ''] = await readBack(ofService('/api/v1/metrics/flat.metric/points', service), 1)
      expect(JSON.parse(read)).toMatchObject({ type: 'gauge', value: 12.5 })
    }))
})
