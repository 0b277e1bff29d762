import { attributeForms } from '../models/attribute-forms.ts'
import { isContentKey } from '../models/content-keys.ts'
import { floorDivide } from '../models/floor-divide.ts'
import type { SpanKind, StatusCode } from '../models/span.ts'
import { BadParameter } from './bad-parameter.ts'
import { type FullText, fullTextSql } from './full-text.ts'
import type { RecordPosition } from './page-token.ts'

/** Words of a filter that a text must equal. */
export const TEXT_WORDS = [
  'service',
  'environment',
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

/** Which record of which entry a record is: decimal digits. */
export type RecordPlace = Omit<RecordPosition, 'timeUnixNano'>

/** What records are asked for. Every condition given must hold. */
export interface RecordFilter extends Readonly<Partial<Record<TextWord, string>>> {
  /** Unix nanoseconds, inclusive. */
  readonly from?: bigint
  /** Unix nanoseconds, exclusive. */
  readonly to?: bigint
  /** 32 hex digits. */
  readonly traceId?: string
  /** 16 hex digits. */
  readonly spanId?: string
  /** Least severe level of log records, as OpenTelemetry's severity number. */
  readonly minSeverityNumber?: number
  readonly status?: StatusCode
  readonly kind?: SpanKind
  /** Nanoseconds, both inclusive. */
  readonly minDuration?: bigint
  readonly maxDuration?: bigint
  /** Attributes that must be there with these values: text, or what JSON makes of the text (42, true). Of spans and log records none by which something is said to a model: see {@link refuseContent}. */
  readonly attributes?: readonly (readonly [key: string, value: string])[]
  /** Words of the body. */
  readonly fullText?: FullText
  /** Characters of the body, upper or lower case: every body in the time range is read. */
  readonly contains?: string
  /** Records that came after this one, in whichever entry. */
  readonly cameAfter?: RecordPlace
  /** Records of entries that came before this one. */
  readonly cameBefore?: Pick<RecordPlace, 'entryMs' | 'entrySeq'>
  /** By time; without it as it is fastest. */
  readonly order?: 'asc' | 'desc'
  /** Records after this one in the order; the newest first where none is said. */
  readonly after?: RecordPosition
  /** At most so many; null is all. */
  readonly limit: number | null
}

/** How the columns of calls of models are called in every view that has them. */
export const CALL_TEXTS = {
  model: 'model',
  provider: 'provider',
  operation: 'operation',
  prompt: 'prompt_name',
  user: 'user_id',
  session: 'session_id',
} as const satisfies Partial<Record<TextWord, string>>

/** How the columns of one view are called that the words of a filter mean. A word without a column is not looked at. */
export interface FilterColumns {
  readonly time: string
  readonly timeUnixNano: string
  readonly texts: Readonly<Partial<Record<TextWord, string>>>
  readonly traceId?: string
  readonly spanId?: string
  readonly severityNumber?: string
  readonly statusCode?: string
  readonly kindCode?: string
  readonly durationNs?: string
  readonly attributes?: string
  readonly body?: string
}

/** @throws BadParameter for an attribute by which something is said to a model: it is stored beside the rows, and would never be found. */
export function refuseContent(
  { attributes = [] }: Pick<RecordFilter, 'attributes'>,
  columns: FilterColumns,
): void {
  const said = columns.attributes === 'hot_attributes' && attributes.find(([key]) => isContentKey(key))
  if (!said) return
  const word = `attr.${said[0]}`
  throw new BadParameter(
    word,
    `${word} is what was said to a model or by it: that is stored beside, and not looked through`,
  )
}

/**
 * The conditions alone: `where …`, or `where true`. More parameters may follow.
 *
 * @param values parameters that come before, to which those of the conditions are added.
 * @throws as {@link refuseContent}.
 */
export function whereSql(
  filter: Omit<RecordFilter, 'limit'>,
  columns: FilterColumns,
  values: unknown[] = [],
): { where: string; values: unknown[] } {
  refuseContent(filter, columns)
  const conditions: string[] = []
  const add = (column: string | undefined, condition: string, value: unknown) => {
    if (column === undefined || value === undefined) return
    conditions.push(`${column} ${condition.replace('?', `$${values.push(value)}`)}`)
  }
  const { from, to, attributes = [] } = filter
  // The timestamptz condition prunes partitions, the one on nanoseconds is exact.
  add(columns.timeUnixNano, '>= ?::bigint', from)
  add(columns.time, '>= ?::timestamptz', from === undefined ? undefined : microseconds(from))
  add(columns.timeUnixNano, '< ?::bigint', to)
  if (to !== undefined) add(columns.time, `${beforeSql(to)} ?::timestamptz`, microseconds(to))
  for (const word of TEXT_WORDS) add(columns.texts[word], '= ?', filter[word])
  add(columns.traceId, '= ?::uuid', filter.traceId)
  add(columns.spanId, '= ?', filter.spanId?.toLowerCase())
  add(columns.severityNumber, '>= ?', filter.minSeverityNumber)
  add(columns.statusCode, '= ?', filter.status)
  add(columns.kindCode, '= ?', filter.kind)
  add(columns.durationNs, '>= ?::bigint', filter.minDuration)
  add(columns.durationNs, '<= ?::bigint', filter.maxDuration)
  for (const [key, value] of columns.attributes === undefined ? [] : attributes) {
    const forms = attributeForms(key, value).map(
      (json) => `${columns.attributes} @> $${values.push(json)}::jsonb`,
    )
    conditions.push(`(${forms.join(' or ')})`)
  }
  if (columns.body !== undefined && filter.fullText !== undefined)
    conditions.push(fullTextSql(filter.fullText, columns.body, (value) => `$${values.push(value)}`))
  const part = filter.contains?.replaceAll(/[\\%_]/g, '\\$&')
  add(columns.body, 'ilike ?', part === undefined ? undefined : `%${part}%`)
  const { cameAfter, cameBefore } = filter
  if (cameAfter !== undefined) {
    const place = [cameAfter.entryMs, cameAfter.entrySeq, cameAfter.recordIndex]
    const keys = place.map((key) => `$${values.push(key)}::numeric`)
    conditions.push(`(entry_ms, entry_seq, record_index) > (${keys.join(', ')})`)
  }
  if (cameBefore !== undefined) {
    const keys = [cameBefore.entryMs, cameBefore.entrySeq].map((key) => `$${values.push(key)}::numeric`)
    conditions.push(`(entry_ms, entry_seq) < (${keys.join(', ')})`)
  }
  if (filter.after !== undefined) {
    const { timeUnixNano, entryMs, entrySeq, recordIndex } = filter.after
    const sign = filter.order === 'asc' ? '>' : '<'
    add(columns.time, `${sign}= ?::timestamptz`, microseconds(BigInt(timeUnixNano)))
    const keys = [timeUnixNano, entryMs, entrySeq, recordIndex].map((key) => `$${values.push(key)}::bigint`)
    conditions.push(
      `(${columns.timeUnixNano}, entry_ms, entry_seq, record_index) ${sign} (${keys.join(', ')})`,
    )
  }
  return { where: `where ${conditions.length === 0 ? 'true' : conditions.join(' and ')}`, values }
}

/** How the microseconds of a time before `unixNano` compare with its own: what is before a midnight is not looked for in the day that begins then. */
export function beforeSql(unixNano: bigint): '<' | '<=' {
  return unixNano % 1000n === 0n ? '<' : '<='
}

/** Unix nanoseconds as a `timestamptz` literal, cut to its microseconds. */
export function microseconds(unixNano: bigint): string {
  const micros = floorDivide(unixNano, 1000n)
  const seconds = floorDivide(micros, 1_000_000n)
  const fraction = String(micros - seconds * 1_000_000n).padStart(6, '0')
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`
}
