import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type BenchReport, REPORT_FORMAT, readReport } from '../../../src/commands/bench/bench-report.ts'
import type { BenchRun } from '../../../src/commands/bench/bench-run.ts'
import { compareReports, formatComparison } from '../../../src/commands/bench/compare-reports.ts'
import { cpuPerRow } from '../../../src/commands/bench/cpu-meter.ts'
import { formatReport } from '../../../src/commands/bench/format-report.ts'
import { growthAxes } from '../../../src/commands/bench/growth-axes.ts'
import { median, percentile } from '../../../src/commands/bench/statistics.ts'
import { ObservatoryError } from '../../../src/errors.ts'

function run(rowsPerSecond: number, cpu: Partial<BenchRun['cpuPerRow']> = {}): BenchRun {
  const cpuPerRow = { node: undefined, postgres: undefined, redis: undefined, ...cpu }
  return { rows: 1000, seconds: 1000 / rowsPerSecond, rowsPerSecond, cpuPerRow }
}

/** A service at `service` rows/s, \copy at 100 on one connection and 160 on two. */
function report(service: readonly number[], changes: Partial<BenchReport> = {}): BenchReport {
  const copy = (connections: number, rate: number) => ({
    name: `\\copy text, ${connections}`,
    part: 'copy' as const,
    copy: { format: 'text' as const, connections },
    connections,
    runs: [run(rate, { postgres: 8 })],
  })
  const ingest = {
    name: 'service, one record an entry',
    part: 'ingest' as const,
    form: 'json' as const,
    connections: 2,
    runs: service.map((rate) => ({
      ...run(rate, { node: 20, postgres: 10, redis: 3 }),
      fromFirstRead: { rows: 1000, seconds: 1, rowsPerSecond: rate - 5 },
      peakRssBytes: 100 * 1024 * 1024,
    })),
  }
  return {
    format: REPORT_FORMAT,
    commit: 'abc',
    startedAt: '2026-11-25T00:00:00.000Z',
    seconds: 1,
    options: { rows: 1000, rounds: service.length, seed: 1 },
    machine: {
      processor: 'abacus',
      cores: 2,
      memoryBytes: 2 ** 30,
      system: 'linux',
      node: 'v20',
      postgres: 'PostgreSQL 18',
      redis: 'Redis 7',
      psql: null,
      settings: { service: { writeConcurrency: '2' }, postgres: { fsync: 'on' }, redis: {} },
    },
    signals: [
      { signal: 'traces', rows: 1000, recordBytes: 741, contenders: [ingest, copy(1, 100), copy(2, 160)] },
    ],
    freshness: [],
    growth: [],
    notes: ['one thing'],
    ...changes,
  }
}

test('the median is the middle one, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([10, 1, 2, 4])).toBe(3)
  expect(median([])).toBe(0)
})

test('a percentile is the smallest value that so many do not exceed', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect([0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([50, 99, 100])
  expect(percentile([], 0.5)).toBe(0)
})

test('processor time a row is told only where both readings have it', () => {
  const before = { node: 1000, postgres: undefined, redis: 0 }
  const after = { node: 3000, postgres: 5, redis: 500 }
  expect(cpuPerRow(before, after, 100)).toEqual({ node: 20, postgres: undefined, redis: 5 })
  expect(cpuPerRow(before, after, 0)).toEqual({ node: undefined, postgres: undefined, redis: undefined })
})

describe('the report', () => {
  test('has the ratio of medians to \\copy on one and on as many connections first', () => {
    const lines = formatReport(report([90, 80, 40])).split('\n')
    const service = lines.find((line) => line.startsWith('service, one'))
    expect(service?.slice('service, one record an entry'.length).trim().split(/\s+/)).toEqual([
      ...['0.80', '0.50', '80', '40-90', '75', '10.0', '1.25', '20.0', '3.0', '100', 'MiB'],
    ])
    expect(lines.find((line) => line.startsWith('\\copy text, 2'))).toMatch(/ 1\.60 +1\.00 +160 /)
  })

  test('says on what it was measured, and what is to be known', () => {
    const text = formatReport(report([90]))
    expect(text).toContain('2 x abacus, 1.0 GiB, linux\nPostgreSQL 18, Redis 7, Node.js v20, no psql\n')
    expect(text).toContain('service: writeConcurrency 2\nPostgreSQL: fsync on\n')
    expect(text).toContain('note: one thing\n')
  })

  test('has freshness and growth where they were measured', () => {
    const runs = (rate: number) => [
      { ...run(rate, { node: rate }), fromFirstRead: { rows: 1, seconds: 1, rowsPerSecond: rate } },
    ]
    const text = formatReport(
      report([90], {
        freshness: [
          {
            ...{ share: 0.5, wantedRowsPerSecond: 50, addedRowsPerSecond: 49, probes: 9, unseen: 1 },
            ...{ p50Ms: 100, p99Ms: 200, maxMs: 300, lagEntries: 4, peakRssBytes: undefined },
          },
        ],
        growth: [
          {
            ...{ axis: 'workers', unit: 'processes', signal: 'traces' },
            points: [
              { value: 1, rows: 30, runs: runs(10) },
              { value: 2, rows: 30, runs: runs(15) },
            ],
          },
        ],
      }),
    )
    expect(text).toMatch(/^50 % +50 +49 +100 +200 +300 +9 +1 +4$/m)
    expect(text).toMatch(/^ +2 +1\.50 +15 +15\.0 +1\.50 +30$/m)
  })
})

describe('comparing', () => {
  test('holds against each other what is in both', () => {
    const before = report([50])
    const after = report([60])
    const [compared, ...others] = compareReports(before, after)
    expect(compared).toMatchObject({
      name: 'spans: service, one record an entry',
      before: { rowsPerSecond: 50, toCopy: 0.5, nodeMicros: 20, postgresMicros: 10 },
      after: { rowsPerSecond: 60, toCopy: 0.6 },
    })
    expect(others).toHaveLength(2)
    expect(compareReports(report([50], { signals: [] }), after)).toEqual([])
    expect(formatComparison(before, after)).toMatch(
      /^spans: service.* 0\.50 -> 0\.60 +\+20 % +50 -> 60 +\+20 %/m,
    )
  })

  test('says what was otherwise', () => {
    const other = report([60], { options: { rows: 5, rounds: 1, seed: 1 } })
    const machine = {
      ...other.machine,
      cores: 4,
      settings: { ...other.machine.settings, postgres: { fsync: 'off' } },
    }
    const text = formatComparison(report([50]), { ...other, machine })
    expect(text).toContain('note: 1,000 rows before, 5 now\n')
    expect(text).toContain('note: cores: 2 before, 4 now\n')
    expect(text).toContain('note: postgres fsync: on before, off now\n')
    expect(formatComparison(report([50]), report([60]))).not.toContain('note:')
  })

  test('reads only what the bench wrote', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'observatory-report-'))
    try {
      const [good, bad] = [join(folder, 'good.json'), join(folder, 'bad.json')]
      await writeFile(good, JSON.stringify(report([50])))
      await writeFile(bad, '{"format":"other"}')
      expect(readReport(good)).toEqual(JSON.parse(JSON.stringify(report([50]))))
      for (const path of [bad, join(folder, 'missing.json')]) {
        expect(() => readReport(path)).toThrow(ObservatoryError)
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

test('growth takes fewer rows of larger records, and ten million stored ones only when asked', () => {
  const axes = (large: boolean) =>
    growthAxes({ axes: ['stored', 'size'], rows: 30_000, large }).map(({ points }) => points)
  const [stored = [], size = []] = axes(false)
  expect(stored.map(({ value }) => value)).toEqual([10_000, 100_000, 1_000_000])
  expect(size.map(({ rows }) => rows)).toEqual([30_000, 30_000, 8192, 512])
  expect(axes(true)[0]?.at(-1)?.stored).toBe(10_000_000)
})
