import { type Column, formatBytes, formatCount, textTable } from '../text-table.ts'
import type { BenchReport } from './bench-report.ts'
import { formatFreshness } from './format-freshness.ts'
import { formatGrowth } from './format-growth.ts'
import type { Machine } from './machine.ts'
import { medianCpu, medianRate, medianWholeRate, micros, peakOf, ratio, wholeNumber } from './run-figures.ts'
import type { SignalResult } from './signal-bench.ts'
import { RECORD_NAMES } from './signal-tables.ts'
import { median } from './statistics.ts'

/** The whole report for a person. */
export function formatReport(report: BenchReport): string {
  const { options, machine, signals, freshness, growth, notes, commit } = report
  const parts = [
    formatMachine(machine),
    `commit ${commit ?? 'unknown'}, ${report.startedAt}, medians of ${options.rounds}, seed ${options.seed}\n`,
    ...signals.map((signal) => formatSignal(signal)),
    ...(freshness.length > 0 ? [formatFreshness(freshness)] : []),
    ...growth.map(formatGrowth),
    ...(notes.length > 0 ? [notes.map((note) => `note: ${note}\n`).join('')] : []),
  ]
  return parts.join('\n')
}

function formatMachine(machine: Machine): string {
  const { cores, processor, memoryBytes, system, node, postgres, redis, psql, settings } = machine
  const list = (of: Readonly<Record<string, string>>): string =>
    Object.entries(of)
      .map(([name, value]) => `${name} ${value || '""'}`)
      .join(', ')
  return [
    `${cores} x ${processor}, ${formatBytes(memoryBytes)}, ${system}`,
    `${postgres}, ${redis}, Node.js ${node}, ${psql ?? 'no psql'}`,
    `service: ${list(settings.service)}`,
    `PostgreSQL: ${list(settings.postgres)}`,
    `Redis: ${list(settings.redis)}`,
  ]
    .map((line) => `${line}\n`)
    .join('')
}

type ContenderResult = SignalResult['contenders'][number]

/** A table whose first columns are the ratios to `\copy text`, on one connection and on as many as the contender writes by. */
function formatSignal({ signal, rows, recordBytes, contenders }: SignalResult): string {
  const baseOf = (connections: number): ContenderResult | undefined =>
    contenders.find(({ copy }) => copy?.format === 'text' && copy.connections === connections)
  const columns: readonly Column[] = [
    { heading: RECORD_NAMES[signal] },
    ...[
      'to \\copy',
      'same connections',
      'rows/s',
      'lowest-highest',
      'from first read',
      'PostgreSQL us/row',
      'to \\copy',
      'Node us/row',
      'Redis us/row',
      'peak RSS',
    ].map((heading) => ({ heading, align: 'right' as const })),
  ]
  const lines = contenders.map(({ name, runs, connections }) => {
    const rates = runs.map((run) => run.rowsPerSecond)
    const postgres = medianCpu(runs, 'postgres')
    return [
      name,
      ratio(median(rates), medianRate(baseOf(1)?.runs)),
      ratio(median(rates), medianRate(baseOf(connections)?.runs)),
      wholeNumber(median(rates)),
      `${wholeNumber(Math.min(...rates))}-${wholeNumber(Math.max(...rates))}`,
      wholeNumber(medianWholeRate(runs)),
      micros(postgres),
      ratio(postgres, medianCpu(baseOf(1)?.runs ?? [], 'postgres')),
      micros(medianCpu(runs, 'node')),
      micros(medianCpu(runs, 'redis')),
      peakOf(runs),
    ]
  })
  const title = `${formatCount(rows)} ${RECORD_NAMES[signal]} of ${formatCount(recordBytes)} bytes of JSON on average\n`
  return title + textTable(columns, lines)
}
