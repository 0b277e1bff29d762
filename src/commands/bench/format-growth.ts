import { formatCount, textTable } from '../text-table.ts'
import type { GrowthResult } from './growth.ts'
import { medianCpu, medianWholeRate, micros, peakOf, ratio, wholeNumber } from './run-figures.ts'
import { RECORD_NAMES } from './signal-tables.ts'

/** A line for each value of the axis, with ratios to the first one. Rates are from the first read on: runs are short. */
export function formatGrowth({ axis, unit, signal, points }: GrowthResult): string {
  const columns = [
    unit,
    'to first',
    'rows/s',
    'PostgreSQL us/row',
    'to first',
    'Node us/row',
    'to first',
    'peak RSS',
    'rows',
  ].map((heading) => ({ heading, align: 'right' as const }))
  const [first] = points
  const [postgres, node] = (['postgres', 'node'] as const).map((of) => medianCpu(first?.runs ?? [], of))
  const lines = points.map(({ value, rows, runs }) => [
    formatCount(value),
    ratio(medianWholeRate(runs), medianWholeRate(first?.runs ?? [])),
    wholeNumber(medianWholeRate(runs)),
    micros(medianCpu(runs, 'postgres')),
    ratio(medianCpu(runs, 'postgres'), postgres),
    micros(medianCpu(runs, 'node')),
    ratio(medianCpu(runs, 'node'), node),
    peakOf(runs),
    formatCount(rows),
  ])
  return `growth (${RECORD_NAMES[signal]}): ${axis}\n${textTable(columns, lines)}`
}
