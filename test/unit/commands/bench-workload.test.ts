import { describe, expect, test } from 'vitest'
import { ENTRY_FORMS, entryFields } from '../../../src/commands/bench/entry-form.ts'
import { createWorkload, type WorkloadOptions } from '../../../src/commands/bench/workload.ts'
import { TELEMETRY_SIGNALS } from '../../../src/models/telemetry-signal.ts'

const NOW = Date.parse('2026-11-25T03:00:00Z')
const OPTIONS: WorkloadOptions = { seed: 7, rows: 1000, nowMs: NOW }

function json(signal: (typeof TELEMETRY_SIGNALS)[number], count: number, options = OPTIONS): string[] {
  const workload = createWorkload(signal, options)
  return Array.from({ length: count }, (_, index) => JSON.stringify(workload.record(index)))
}

describe.each(TELEMETRY_SIGNALS)('the %s of a workload', (signal) => {
  test('are the same for the same seed, in any order, and others for another', () => {
    const workload = createWorkload(signal, OPTIONS)
    const backwards = [2, 1, 0].map((index) => JSON.stringify(workload.record(index)))
    expect(backwards.reverse()).toEqual(json(signal, 3))
    expect(json(signal, 3, { ...OPTIONS, seed: 8 })).not.toEqual(json(signal, 3))
  })

  test('differ from one another', () => {
    expect(new Set(json(signal, 1000)).size).toBe(1000)
  })
})

test('records are as long as is said of them, within 20 bytes', () => {
  const mean = (texts: readonly string[]) => texts.reduce((sum, text) => sum + text.length, 0) / texts.length
  expect(Math.abs(mean(json('traces', 1000)) - 741)).toBeLessThan(20)
  expect(Math.abs(mean(json('logs', 1000)) - 420)).toBeLessThan(20)
  expect(Math.abs(mean(json('metrics', 1000)) - 354)).toBeLessThan(20)
})

test('points are of a few hundred series', () => {
  const workload = createWorkload('metrics', OPTIONS)
  const series = new Set(
    Array.from({ length: 20_000 }, (_, index) => {
      const { name, service, resource, attributes } = workload.record(index)
      return JSON.stringify([name, service, resource, attributes])
    }),
  )
  expect(series.size).toBe(360)
})

test('all times lie in the hour after noon, or in those of as many days', () => {
  const hours = (days: number) => {
    const workload = createWorkload('logs', { ...OPTIONS, days })
    const times = Array.from({ length: 1000 }, (_, index) =>
      new Date(Number(String(workload.record(index).timeUnixNano).slice(0, -6))).toISOString().slice(0, 13),
    )
    return [...new Set(times)].sort()
  }
  expect(hours(1)).toEqual(['2026-11-25T12'])
  expect(hours(3)).toEqual(['2026-11-23T12', '2026-11-24T12', '2026-11-25T12'])
})

test('a log record of a given size has exactly that', () => {
  for (const recordBytes of [100, 1024, 16_384]) {
    expect(new Set(json('logs', 50, { ...OPTIONS, recordBytes }).map(({ length }) => length))).toEqual(
      new Set([recordBytes]),
    )
  }
})

test('a span has as many attributes as it is told to', () => {
  const workload = createWorkload('traces', { ...OPTIONS, attributes: 300 })
  expect(Object.keys(workload.record(0).attributes as object)).toHaveLength(300)
})

test('every form carries the same record', () => {
  const record = createWorkload('traces', OPTIONS).record(0)
  expect(ENTRY_FORMS).toEqual(['json', 'array', 'flat'])
  expect(entryFields('json', [record])).toEqual(['json', JSON.stringify(record)])
  expect(entryFields('array', [record, record])).toEqual(['json', JSON.stringify([record, record])])
  const flat = entryFields('flat', [record])
  expect(flat).toContain('gen_ai.usage.input_tokens')
  expect(flat[flat.indexOf('traceId') + 1]).toBe(record.traceId)
  expect(flat[flat.indexOf('scope') + 1]).toBe(JSON.stringify(record.scope))
  expect(flat).not.toContain('attributes')
})
