import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'

/** What the telemetry of one day counts and adds up to. Integers all, so that no order of adding changes them. */
export interface DaySums {
  readonly spans: number
  readonly spanErrors: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly logs: number
  readonly errorLogs: number
  readonly points: number
}

export const NO_SUMS: DaySums = {
  spans: 0,
  spanErrors: 0,
  inputTokens: 0,
  outputTokens: 0,
  logs: 0,
  errorLogs: 0,
  points: 0,
}

/** By the beginning of the day in unix milliseconds; a day of which there is nothing is left out. */
export type SumsByDay = ReadonlyMap<number, DaySums>

export function addSums(a: DaySums, b: Partial<DaySums>): DaySums {
  const sums: Record<string, number> = { ...a }
  for (const [name, value] of Object.entries(b)) sums[name] = (sums[name] ?? 0) + value
  return sums as unknown as DaySums
}

/** The rows of each signal. */
export function rowsOf(sums: DaySums): Readonly<Record<TelemetrySignal, number>> {
  return { traces: sums.spans, logs: sums.logs, metrics: sums.points }
}

/** What differs, a line each; `what` says what was asked. Only the members that both know are compared. */
export function differences(
  what: string,
  found: ReadonlyMap<number, Partial<DaySums>>,
  expected: SumsByDay,
): string[] {
  const problems: string[] = []
  for (const day of new Set([...found.keys(), ...expected.keys()])) {
    const [has, should] = [found.get(day) ?? {}, expected.get(day) ?? NO_SUMS]
    for (const [name, value] of Object.entries(has)) {
      const wanted = should[name as keyof DaySums]
      if (value !== wanted)
        problems.push(
          `${what}: ${new Date(day).toISOString().slice(0, 10)} has ${name} ${value} of ${wanted}`,
        )
    }
    if (Object.keys(has).length === 0 && expected.has(day))
      problems.push(`${what}: ${new Date(day).toISOString().slice(0, 10)} is not there`)
  }
  return problems
}
