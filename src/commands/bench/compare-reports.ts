import { formatCount, textTable } from '../text-table.ts'
import type { BenchReport } from './bench-report.ts'
import type { BenchRun } from './bench-run.ts'
import { medianCpu, medianRate, micros, ratio, wholeNumber } from './run-figures.ts'
import { RECORD_NAMES } from './signal-tables.ts'
import { median } from './statistics.ts'

/** One contender in two reports. */
export interface ComparedCase {
  readonly name: string
  readonly before: CaseFigures
  readonly after: CaseFigures
}

/** Undefined what was not measured. */
export interface CaseFigures {
  readonly rowsPerSecond: number
  /** To `\copy text` on one connection in the same report: what is left of the machine's moods. */
  readonly toCopy: number | undefined
  readonly nodeMicros: number | undefined
  readonly postgresMicros: number | undefined
}

/** The contenders that are in both reports, in the order of the second. */
export function compareReports(before: BenchReport, after: BenchReport): readonly ComparedCase[] {
  const earlier = new Map(figuresOf(before))
  return figuresOf(after).flatMap(([name, figures]) => {
    const known = earlier.get(name)
    return known === undefined ? [] : [{ name, before: known, after: figures }]
  })
}

function figuresOf({ signals }: BenchReport): readonly (readonly [name: string, figures: CaseFigures])[] {
  return signals.flatMap(({ signal, contenders }) => {
    const base = contenders.find(({ copy }) => copy?.format === 'text' && copy.connections === 1)
    return contenders.map(
      ({ name, runs }) =>
        [`${RECORD_NAMES[signal]}: ${name}`, caseFigures(runs, medianRate(base?.runs))] as const,
    )
  })
}

function caseFigures(runs: readonly BenchRun[], base: number | undefined): CaseFigures {
  const rowsPerSecond = median(runs.map((run) => run.rowsPerSecond))
  return {
    rowsPerSecond,
    toCopy: base === undefined || base === 0 ? undefined : rowsPerSecond / base,
    nodeMicros: medianCpu(runs, 'node'),
    postgresMicros: medianCpu(runs, 'postgres'),
  }
}

/** For a person: change first, then before and after. Says so when the two cannot be held against each other. */
export function formatComparison(before: BenchReport, after: BenchReport): string {
  const columns = [
    { heading: 'before -> after' },
    ...[
      'to \\copy',
      'change',
      'rows/s',
      'change',
      'Node us/row',
      'change',
      'PostgreSQL us/row',
      'change',
    ].map((heading) => ({ heading, align: 'right' as const })),
  ]
  const lines = compareReports(before, after).map(({ name, before: was, after: is }) => [
    name,
    arrow(was.toCopy, is.toCopy, (value) => value.toFixed(2)),
    change(was.toCopy, is.toCopy),
    arrow(was.rowsPerSecond, is.rowsPerSecond, wholeNumber),
    change(was.rowsPerSecond, is.rowsPerSecond),
    arrow(was.nodeMicros, is.nodeMicros, micros),
    change(was.nodeMicros, is.nodeMicros),
    arrow(was.postgresMicros, is.postgresMicros, micros),
    change(was.postgresMicros, is.postgresMicros),
  ])
  const title = `compared with commit ${before.commit ?? 'unknown'} of ${before.startedAt}\n`
  return (
    title +
    differences(before, after)
      .map((line) => `note: ${line}\n`)
      .join('') +
    textTable(columns, lines)
  )
}

function arrow(
  before: number | undefined,
  after: number | undefined,
  format: (value: number) => string,
): string {
  return before === undefined || after === undefined ? '' : `${format(before)} -> ${format(after)}`
}

/** `+12 %` */
function change(before: number | undefined, after: number | undefined): string {
  if (before === undefined || after === undefined || ratio(after, before) === '') return ''
  const percent = Math.round((after / before - 1) * 100)
  return `${percent > 0 ? '+' : ''}${percent} %`
}

function differences(before: BenchReport, after: BenchReport): readonly string[] {
  const lines: string[] = []
  if (before.options.rows !== after.options.rows) {
    lines.push(`${formatCount(before.options.rows)} rows before, ${formatCount(after.options.rows)} now`)
  }
  for (const part of ['processor', 'cores', 'node', 'postgres', 'redis'] as const) {
    const [was, is] = [before.machine[part], after.machine[part]]
    if (was !== is) lines.push(`${part}: ${was} before, ${is} now`)
  }
  for (const part of ['service', 'postgres', 'redis'] as const) {
    const [was, is] = [before.machine.settings[part], after.machine.settings[part]]
    for (const name of new Set([...Object.keys(was), ...Object.keys(is)])) {
      if (was[name] !== is[name]) lines.push(`${part} ${name}: ${was[name]} before, ${is[name]} now`)
    }
  }
  return lines
}
