import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isStorable } from '../../../src/models/clean-text.ts'
import { RECORD_DECODERS } from '../../../src/models/decode-record.ts'
import { parseJson } from '../../../src/models/json.ts'
import { recordJson } from '../../../src/models/loose-record.ts'
import { REJECTION_REASONS } from '../../../src/models/rejection.ts'
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../../../src/models/telemetry-signal.ts'
import { contextWith } from './decoding.ts'
import { hostileJson } from './hostile-json.ts'
import { LOOSE_RECORDS } from './loose-records.ts'

function decode(signal: TelemetrySignal, input: unknown, changes: Parameters<typeof contextWith>[0] = {}) {
  return RECORD_DECODERS[signal](input, contextWith({ suspicious: true, ...changes }))
}

/** Every text in a value, keys included. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => [key, ...textsOf(member)])
}

describe.each(TELEMETRY_SIGNALS)('decoding %s', (signal) => {
  test('changes nothing any more in what was decoded, written and read back', () => {
    let accepted = 0
    fc.assert(
      fc.property(LOOSE_RECORDS[signal], (input) => {
        const { record } = decode(signal, input)
        if (record === undefined) return
        accepted++
        const wire = recordJson(record)
        const again = decode(signal, parseJson(wire).value, { suspicious: false })
        expect(isDeepStrictEqual(again.record, record), again.rejection?.detail).toBe(true)
      }),
      { numRuns: 400 },
    )
    expect(accepted).toBeGreaterThan(200)
  })

  test('leaves no text that PostgreSQL could not store, in keys and values', () => {
    fc.assert(
      fc.property(LOOSE_RECORDS[signal], (input) => {
        expect(textsOf(decode(signal, input).record).every(isStorable)).toBe(true)
      }),
    )
  })

  test('leaves the input as it was', () => {
    fc.assert(
      fc.property(fc.oneof(LOOSE_RECORDS[signal], hostileJson), (input) => {
        const before = structuredClone(input)
        decode(signal, input)
        expect(isDeepStrictEqual(input, before)).toBe(true)
      }),
    )
  })

  test.each([true, false])(
    'never throws at hostile JSON and names a reason of the list (flat: %s)',
    (flat) => {
      fc.assert(
        fc.property(hostileJson, (input) => {
          const { record, rejection } = decode(signal, input, { flat, entryBytes: 2 ** 30 })
          if (rejection === undefined) {
            expect(record).toBeDefined()
            return
          }
          expect(REJECTION_REASONS).toContain(rejection.reason)
          expect(isStorable(rejection.detail)).toBe(true)
          expect(rejection.detail.length).toBeLessThan(300)
        }),
        { numRuns: 1_000 },
      )
    },
  )
})
