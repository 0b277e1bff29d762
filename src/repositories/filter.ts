import { floorDivide } from '../models/floor-divide.ts'

/** Words of a filter that a text must equal. */
export const TEXT_WORDS = [
  'service',
  'name',
  'model',
  'provider',
  'operation',
  'prompt',
  'user',
  'session',
  'label',
] as const
export type TextWord = (typeof TEXT_WORDS)[number]

/** What records are asked for. Every condition given must hold. */
export interface RecordFilter extends Readonly<Partial<Record<TextWord, string>>> {
  /** Unix nanoseconds, inclusive. */
  readonly from?: bigint
  /** Unix nanoseconds, exclusive. */
  readonly to?: bigint
  /** 32 hex digits. */
  readonly traceId?: string
  /** Least severe level of log records, as OpenTelemetry's severity number. */
  readonly minSeverityNumber?: number
  /** Newest first, at most so many; null is all. */
  readonly limit: number | null
}

/** How the columns of one view are called that the words of a filter mean. A word without a column is not looked at. */
export interface FilterColumns {
  readonly time: string
  readonly timeUnixNano: string
  readonly texts: Readonly<Partial<Record<TextWord, string>>>
  readonly traceId?: string
  readonly severityNumber?: string
}

/** A filter as SQL: `where … order by … limit …`, values by parameters. */
export function filterSql(filter: RecordFilter, columns: FilterColumns): { text: string; values: unknown[] } {
  const { where, values } = whereSql(filter, columns)
  const order = `order by ${columns.time} desc, ${columns.timeUnixNano} desc`
  return { text: `${where} ${order} limit $${values.length + 1}`, values: [...values, filter.limit] }
}

/** The conditions alone: `where …`, or `where true`. More parameters may follow. */
export function whereSql(
  filter: Omit<RecordFilter, 'limit'>,
  columns: FilterColumns,
): { where: string; values: unknown[] } {
  const values: unknown[] = []
  const conditions: string[] = []
  const add = (condition: (parameter: string) => string, value: unknown) => {
    values.push(value)
    conditions.push(condition(`$${values.length}`))
  }
  // The timestamptz condition prunes partitions, the one on nanoseconds is exact.
  if (filter.from !== undefined) {
    add((p) => `${columns.timeUnixNano} >= ${p}::bigint`, filter.from)
    add((p) => `${columns.time} >= ${p}::timestamptz`, microseconds(filter.from))
  }
  if (filter.to !== undefined) {
    add((p) => `${columns.timeUnixNano} < ${p}::bigint`, filter.to)
    add((p) => `${columns.time} <= ${p}::timestamptz`, microseconds(filter.to))
  }
  for (const word of TEXT_WORDS) {
    const column = columns.texts[word]
    if (filter[word] !== undefined && column !== undefined) add((p) => `${column} = ${p}`, filter[word])
  }
  if (filter.traceId !== undefined && columns.traceId)
    add((p) => `${columns.traceId} = ${p}::uuid`, filter.traceId)
  if (filter.minSeverityNumber !== undefined && columns.severityNumber) {
    add((p) => `${columns.severityNumber} >= ${p}`, filter.minSeverityNumber)
  }
  return { where: `where ${conditions.length === 0 ? 'true' : conditions.join(' and ')}`, values }
}

/** Unix nanoseconds as a `timestamptz` literal, cut to its microseconds. */
export function microseconds(unixNano: bigint): string {
  const micros = floorDivide(unixNano, 1000n)
  const seconds = floorDivide(micros, 1_000_000n)
  const fraction = String(micros - seconds * 1_000_000n).padStart(6, '0')
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`
}
