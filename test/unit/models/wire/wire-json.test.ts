import fc from 'fast-check'
import { stringify as stringifyLossless } from 'lossless-json'
import { describe, expect, test } from 'vitest'
import { parseJson } from '../../../../src/models/json.ts'
import type { TelemetrySignal } from '../../../../src/models/telemetry-signal.ts'
import { WIRE_JSON } from '../../../../src/models/wire/wire-json.ts'
import { arbitraryDataPoint, arbitraryLogRecord, arbitrarySpan } from '../../../helpers/arbitrary-records.ts'
import { canonical } from '../../../helpers/canonical.ts'
import { decodeJson } from '../../../helpers/decode-json.ts'

/** The one record of this JSON, decoded and written. */
function written<S extends TelemetrySignal>(signal: S, json: string): string {
  const [text = ''] = decodeJson(signal, json).map((record) => WIRE_JSON[signal](record))
  return text
}

describe('a record in full names and normal form is written as it was sent:', () => {
  test.each([
    ['traces', arbitrarySpan()],
    ['logs', arbitraryLogRecord()],
    ['metrics', arbitraryDataPoint('a.metric')],
  ] as const)('%s', (signal, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, (record) => {
        const { resource } = record as { resource: { attributes: object } }
        const attributes = { ...resource.attributes, 'service.name': 'api' }
        const sent = { ...record, service: 'api', resource: { ...resource, attributes } }
        const text = written(signal, stringifyLossless(sent) ?? '')
        expect(canonical(parseJson(text).value)).toBe(canonical(sent))
        expect(text).not.toMatch(/[\n\r]/)
      }),
    )
  })
})

test('what a record does not have is left out', () => {
  const time = String(Date.now())
  expect(JSON.parse(written('logs', JSON.stringify({ timeUnixNano: `${time}000000` })))).toEqual({
    timeUnixNano: `${time}000000`,
    service: 'unknown_service',
    attributes: {},
    resource: { attributes: {} },
    scope: { attributes: {} },
  })
})

test('digits past the precision of a double stay', () => {
  const time = String(BigInt(Date.now()) * 1_000_000n + 123n)
  const json = `{"name":"a","type":"gauge","value":9223372036854775807,"timeUnixNano":"${time}","attributes":{"n":-9007199254740993}}`
  const text = written('metrics', json)
  expect(text).toContain('"value":9223372036854775807')
  expect(text).toContain(`"timeUnixNano":"${time}"`)
  expect(text).toContain('"attributes":{"n":-9007199254740993}')
})

test('neither NUL nor half a surrogate pair is written', () => {
  const json = `{"time":${Date.now()},"body":"a\\u0000b","eventName":"\\ud800","attributes":{"\\u0000":["\\udc00"]}}`
  expect(JSON.parse(written('logs', json))).toMatchObject({
    body: 'a\ufffdb',
    eventName: '\ufffd',
    attributes: { '\ufffd': ['\ufffd'] },
  })
})
